"""What the checker and the runtime complain about, in one short line without paths. Runs in the sandbox child only."""

from __future__ import annotations

import re

from registry.artifacts.report import Rejected

_MEMORY = ("bad_alloc", "failed to allocate memory", "allocate memory", "out of memory", "bad allocation", "bfcarena")
_PREFIX = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
_SOURCE = re.compile(r"(/[\w.+-]+)+\.(cc|h|cpp|hpp|cu|py):\d+\s*")
_SIGNATURE = re.compile(r"^(?:[\w:<>*&]+ )*[\w:]*::[\w~]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?: const)?(?: \[[^\]]*\])?\s*")
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?/(?:[\w.@+-]+/)+[\w.@+-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_LENGTH = 300


def is_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in _MEMORY)


def short(error: BaseException) -> str:
    text = _CONTROL.sub(" ", str(error))
    for pattern in (_PREFIX, _SOURCE, _SIGNATURE):
        text = pattern.sub("", text)
    text = " ".join(_PATH.sub("", text).split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 3] + "..."


def needs_memory() -> Rejected:
    return Rejected(
        "needs_too_much_memory",
        "The model needs more memory than the server gives it. Make it smaller, for example by quantizing it, or check "
        "the sizes it allocates.",
    )
