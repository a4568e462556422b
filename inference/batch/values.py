"""One cell or JSON value to one number, strictly: nothing is wrapped, truncated or guessed."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from inference.batch.faults import BadValue, shown
from inference.protocol.datatypes import FLOATS, INTEGERS
from registry.artifacts.signature import NUMPY_DTYPES

SUPPORTED = FLOATS | INTEGERS | {"BOOL", "BYTES"}
EXACT = 2**53
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def float_limit(datatype: str) -> float:
    return float(np.finfo(NUMPY_DTYPES[datatype]).max)


def integer_limits(datatype: str) -> tuple[int, int]:
    info = np.iinfo(NUMPY_DTYPES[datatype])
    return int(info.min), int(info.max)


def parse_text(text: str, datatype: str) -> Any:
    """The value of a CSV cell. `nan`, `inf` and `-inf` are taken where the model takes floats. Raises BadValue."""
    if datatype == "BYTES":
        return _check_text(text)
    text = text.strip()
    if not text:
        raise BadValue("empty", "is empty")
    if not text.isascii() or "_" in text:
        raise _not_a_number(text)
    if datatype == "BOOL":
        return _truth(text)
    return _check_integer(_integer(text), datatype) if datatype in INTEGERS else _float(text, datatype)


def check_json(value: Any, datatype: str) -> Any:
    """The value itself if the datatype can hold it. Raises BadValue."""
    if value is None:
        raise BadValue("empty", "is null")
    if datatype == "BYTES":
        if type(value) is not str:
            raise BadValue("not_a_text", f"is {shown(value)}, not a text")
        return _check_text(value)
    if datatype == "BOOL":
        return _json_truth(value)
    if type(value) not in (int, float):
        raise _not_a_number(value)
    return _check_integer(value, datatype) if datatype in INTEGERS else _check_float(value, datatype)


def _check_text(text: str) -> str:
    if "\0" in text:
        raise BadValue("not_a_text", "holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("not_utf8", "is not valid UTF-8") from None
    return text


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise BadValue("not_a_boolean", f"is {shown(text)}, not true or false") from None


def _json_truth(value: Any) -> bool:
    if type(value) is bool or (type(value) is int and value in (0, 1)):
        return bool(value)
    raise BadValue("not_a_boolean", f"is {shown(value)}, not true or false")


def _integer(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise _not_a_number(text) from None


def _check_integer(value: float, datatype: str) -> int:
    """A float is taken where it is a whole number small enough to be exact, as tables write 3.0 for 3."""
    if type(value) is float and not (isfinite(value) and value == int(value) and abs(value) <= EXACT):
        raise BadValue("not_an_integer", f"is {shown(value)}, not a whole number")
    low, high = integer_limits(datatype)
    if not low <= value <= high:
        raise BadValue("out_of_range", f"is {shown(value)}, which {datatype} cannot hold")
    return int(value)


def _float(text: str, datatype: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _not_a_number(text) from None
    if isfinite(value):
        return _check_float(value, datatype)
    if text.lstrip("+-").lower() in ("nan", "inf", "infinity"):
        return value
    raise BadValue("out_of_range", f"is {shown(text)}, which {datatype} cannot hold")


def _check_float(value: float, datatype: str) -> float:
    if abs(value) > float_limit(datatype):
        raise BadValue("out_of_range", f"is {shown(value)}, which {datatype} cannot hold")
    return float(value)


def _not_a_number(value: Any) -> BadValue:
    return BadValue("not_a_number", f"is {shown(value)}, not a number")
