"""Whether a prediction was right, as plain arithmetic on JSON values."""

from __future__ import annotations

import math
from typing import Any

import orjson

TOLERANCE = 1e-9


def is_wrong(prediction: Any, label: Any) -> bool | None:
    """None where one of them is missing. Numbers are equal within 1e-9, texts exactly, lists item by item.

    A list of one counts as its item, and a text that spells a number is compared with a number as one: tables carry
    text only.
    """
    if prediction is None or label is None:
        return None
    return not _same(prediction, label)


def _same(prediction: Any, label: Any) -> bool:
    prediction, label = _only(prediction), _only(label)
    if isinstance(prediction, list) or isinstance(label, list):
        return _same_lists(prediction, label)
    if isinstance(prediction, str) and isinstance(label, str):
        return prediction == label
    first, second = _number(prediction), _number(label)
    if first is None or second is None:
        return False
    return first == second or math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _same_lists(prediction: Any, label: Any) -> bool:
    if not (isinstance(prediction, list) and isinstance(label, list)) or len(prediction) != len(label):
        return False
    return all(_same(one, other) for one, other in zip(prediction, label, strict=True))


def _only(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _number(value: Any) -> int | float | None:
    parsed = spelled(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, int | float) else None


def spelled(text: str) -> Any:
    """What a text spells as JSON, itself where that is nothing: `3` is a number, `03` and `cat` are texts."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
