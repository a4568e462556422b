"""Whether an answer is the one that was recorded, and where it is furthest from it. Pure: numpy only.

Recorded answers are V2 output tensors with flat data. Numbers with a fraction pass when `|got - expected| <= atol +
rtol * |expected|`, everything else has to be equal. JSON has no word for NaN and the infinities: null, which stands for
them in an answer, expects any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from inference.protocol.datatypes import FRACTIONS
from inference.runtime.tensors import DTYPES, MAX_SIZE, quoted, shown
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import TensorSpec

MOST_DIMENSIONS = 32
MOST_TEXT = 200


class Expected(NamedTuple):
    """One output as it was recorded. `unknown` is true where null stands; None where there is none."""

    datatype: str
    array: np.ndarray
    unknown: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is empty where all agree: "missing", "datatype" and "shape" of an output, or "value".

    With "value", `output`, `index`, `got` and `expected` name the element that is furthest off, and `n_wrong` counts
    all that are. `got` and `expected` are plain JSON values; NaN and the infinities are texts.
    """

    code: str = ""
    output: str = ""
    index: list[int] | None = None
    got: Any = None
    expected: Any = None
    n_wrong: int = 0
    n_elements: int = 0


class _Worst(NamedTuple):
    """`excess` is how many times the gap is what was allowed."""

    excess: float
    finding: Finding


def tensors_of(specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Outputs as they are recorded."""
    return [
        {"name": spec.name, "datatype": spec.datatype, "shape": list(array.shape), "data": _plain(spec, array)}
        for spec, array in zip(specs, arrays, strict=True)
    ]


def _plain(spec: TensorSpec, array: np.ndarray) -> list[Any]:
    if spec.datatype in FRACTIONS:
        wide = array.astype(np.float64) if spec.datatype == "BF16" else array
        return [float(str(value)) if np.isfinite(value) else None for value in wide.ravel()]
    return [_text(value) if spec.datatype == "BYTES" else value for value in array.ravel().tolist()]


def read_expected(items: Any) -> dict[str, Expected]:
    """Raises InvalidInput with a sentence that names the output."""
    if type(items) is not list or not items:
        raise _wrong('"expected" must be a list of at least one V2 output tensor.')
    found: dict[str, Expected] = {}
    for item in items:
        if type(item) is not dict or type(item.get("name")) is not str or not item["name"]:
            raise _wrong("Each expected output must be an object with name, datatype, shape and data.")
        if item["name"] in found:
            raise _wrong(f"Output {quoted(item['name'])} stands there twice.")
        found[item["name"]] = _read(f"Output {quoted(item['name'])}", item)
    return found


def _read(owner: str, item: dict[str, Any]) -> Expected:
    datatype, shape, data = item.get("datatype"), item.get("shape"), item.get("data")
    if type(datatype) is not str or datatype not in DTYPES:
        raise _wrong(f"{owner}: the datatype must be one of V2's, such as FP32.")
    if type(shape) is not list or len(shape) > MOST_DIMENSIONS or not all(_is_size(size) for size in shape):
        raise _wrong(f"{owner}: the shape must be a list of sizes.")
    if type(data) is not list or len(data) != prod(shape):
        raise _wrong(f"{owner}: data must be a flat list of {prod(shape)} values.")
    if not all(_fits(value, datatype) for value in data):
        raise _wrong(f"{owner}: a value is none of {datatype}.")
    return _filled(owner, datatype, shape, data)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _fits(value: Any, datatype: str) -> bool:
    if datatype in FRACTIONS:
        return value is None or type(value) in (int, float)
    return type(value) is {"BOOL": bool, "BYTES": str}.get(datatype, int)


def _filled(owner: str, datatype: str, shape: list[int], data: list[Any]) -> Expected:
    if prod(size or 1 for size in shape) > MAX_SIZE:
        raise _wrong(f"{owner}: the shape {shown(shape)} is too big.")
    try:
        array = _floats(data, datatype) if datatype in FRACTIONS else np.array(data, DTYPES[datatype])
    except (OverflowError, ValueError):
        raise _wrong(f"{owner}: a value is out of the range of {datatype}.") from None
    unknown = np.array([value is None for value in data]).reshape(shape) if None in data else None
    return Expected(datatype, array.reshape(shape), unknown)


def _floats(data: list[Any], datatype: str) -> np.ndarray:
    """NaN where null stands. Raises OverflowError where a number would become an infinity."""
    wide = np.array([math.nan if value is None else value for value in data], np.float64)
    with np.errstate(over="ignore"):
        array = wide.astype(DTYPES[datatype])
    if (np.isfinite(wide) & ~np.isfinite(array)).any():
        raise OverflowError
    return array


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_expected", details={"field": "expected"})


def compare(expected: Mapping[str, Expected], got: Mapping[str, np.ndarray], *, rtol: float, atol: float) -> Finding:
    """Output by output, in the order of `expected`; what only `got` has is no matter."""
    for name, wanted in expected.items():
        if (unlike := _unlike(name, wanted, got.get(name))) is not None:
            return unlike
    worst = [_worst(name, wanted, got[name], rtol, atol) for name, wanted in expected.items()]
    wrong = [found for found in worst if found.finding.code]
    if not wrong:
        return Finding(n_elements=sum(found.finding.n_elements for found in worst))
    finding = max(wrong, key=lambda found: found.excess).finding
    counts = [found.finding for found in worst]
    n_wrong, n_elements = sum(one.n_wrong for one in counts), sum(one.n_elements for one in counts)
    return replace(finding, n_wrong=n_wrong, n_elements=n_elements)


def _unlike(name: str, wanted: Expected, got: np.ndarray | None) -> Finding | None:
    if got is None:
        return Finding("missing", name)
    if got.dtype != DTYPES[wanted.datatype]:
        given = next((key for key, dtype in DTYPES.items() if dtype == got.dtype), str(got.dtype))
        return Finding("datatype", name, got=given, expected=wanted.datatype)
    if got.shape != wanted.array.shape:
        return Finding("shape", name, got=list(got.shape), expected=list(wanted.array.shape))
    return None


def _worst(name: str, wanted: Expected, got: np.ndarray, rtol: float, atol: float) -> _Worst:
    excess = _excess(wanted, got, rtol, atol)
    n_wrong = int((excess > 1).sum())
    if not n_wrong:
        return _Worst(0.0, Finding(n_elements=excess.size))
    place = int(excess.argmax())
    index = [int(part) for part in np.unravel_index(place, got.shape)]
    values = _shown(got.flat[place]), _shown(wanted.array.flat[place])
    return _Worst(float(excess.flat[place]), Finding("value", name, index, *values, n_wrong, excess.size))


def _excess(wanted: Expected, got: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """How many times its allowance each element is off; more than 1 is wrong."""
    if wanted.datatype not in FRACTIONS:
        return np.where(_texts(wanted.array) != _texts(got), np.inf, 0.0)
    one, other = wanted.array.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gaps, allowed = np.abs(other - one), atol + rtol * np.abs(one)
        # Times the smallest step above 1, so that what exceeds nothing at all is wrong, too.
        excess = np.where(gaps <= allowed, 0.0, np.maximum(gaps / allowed, np.nextafter(1.0, 2.0)))
    excess = np.where(np.isnan(excess), np.inf, excess)
    excess = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, excess)
    excess = np.where(np.isinf(one) & (one != other), np.inf, excess)
    if wanted.unknown is not None:
        excess = np.where(wanted.unknown, np.where(np.isfinite(other), np.inf, 0.0), excess)
    return excess


def _texts(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "O":
        return array
    flat = np.empty(array.size, object)
    flat[:] = [_text(value) for value in array.ravel()]
    return flat.reshape(array.shape)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _shown(value: Any) -> Any:
    """A plain JSON value."""
    if isinstance(value, str | bytes):
        return _text(value)[:MOST_TEXT]
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float | int):
        return plain if not isinstance(plain, float) or math.isfinite(plain) else str(plain)
    return _shown(float(plain))
