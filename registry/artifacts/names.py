"""Names from a model file as they may stand in a message or in a signature."""

from __future__ import annotations

import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def is_invisible(character: str) -> bool:
    """Control characters, marks that turn the writing direction, halves of surrogate pairs, line separators."""
    return unicodedata.category(character) in _INVISIBLE


def readable(name: str) -> str:
    """Short, without invisible characters."""
    text = "".join(c for c in name if not is_invisible(c))
    return text if len(text) <= 60 else text[:57] + "..."
