"""Whether two versions answered the same request alike, and which value of an answer a label is compared with.

Classes are compared as classes: where both sides give probabilities, only the largest of each row counts, however much
the numbers differ. All other numbers may differ by `atol + rtol * |other|`. NaN is like NaN. Pure: numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

RTOL, ATOL = 1e-3, 1e-5
# Rows of probabilities in single or half precision do not sum to one exactly.
SUM_TOLERANCE = 1e-2
LABELS = "biuOSU"


class Agreement(NamedTuple):
    """`kind` is empty where they agree: "missing" (an output, or its shape or type), "top1" (another class), "numeric",
    or "error", which only a caller can know. `max_abs` is the largest finite difference of all numbers that are no
    labels, None where there are none; `n_flips` counts rows with another class.
    """

    agrees: bool
    kind: str = ""
    max_abs: float | None = None
    n_flips: int = 0


FAILED = Agreement(False, "error")


class _Difference(NamedTuple):
    """Of one output."""

    is_numeric: bool = False
    max_abs: float | None = None
    n_flips: int = 0


def compare(
    stable: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], *, rtol: float = RTOL, atol: float = ATOL
) -> Agreement:
    """Output by output; what only `other` answers is no matter."""
    if any(_unlike(array, other.get(name)) for name, array in stable.items()):
        return Agreement(False, "missing")
    found = [_difference(array, other[name], rtol, atol) for name, array in stable.items()]
    max_abs = max((item.max_abs for item in found if item.max_abs is not None), default=None)
    n_flips = max((item.n_flips for item in found), default=0)
    kind = "top1" if n_flips else "numeric" if any(item.is_numeric for item in found) else ""
    return Agreement(not kind, kind, max_abs, n_flips)


def has_bad_numbers(arrays: Iterable[np.ndarray]) -> bool:
    """Whether NaN or an infinity stands among the numbers."""
    return any(not np.isfinite(_as_floats(array)).all() for array in arrays if not _is_label(array))


def prediction_of(outputs: Mapping[str, np.ndarray]) -> Any:
    """The value of the first row that a label is compared with: the first whole number or text, else the index of the
    largest probability, else the first number. A plain JSON value; None where there is none, or no finite one.
    """
    arrays = [array for array in outputs.values() if array.size]
    for array in arrays:
        if _is_label(array):
            value = array.reshape(-1)[0]
            return value.item() if isinstance(value, np.generic) else _text(value)
    for array in arrays:
        if _is_probabilities(floats := _as_floats(array)):
            return int(floats.reshape(-1, floats.shape[-1])[0].argmax())
    first = float(_as_floats(arrays[0]).reshape(-1)[0]) if arrays else np.nan
    return first if np.isfinite(first) else None


def _unlike(one: np.ndarray, two: np.ndarray | None) -> bool:
    return two is None or one.shape != two.shape or one.dtype != two.dtype


def _difference(one: np.ndarray, two: np.ndarray, rtol: float, atol: float) -> _Difference:
    if _is_label(one):
        return _Difference(n_flips=_n_rows(one != two))
    a, b = _as_floats(one), _as_floats(two)
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(a - b)
        alike = (gaps <= atol + rtol * np.abs(b)) & np.isfinite(b) | (a == b) | (np.isnan(a) & np.isnan(b))
    finite = gaps[np.isfinite(gaps)]
    max_abs = float(finite.max()) if finite.size else None
    if _is_probabilities(a) and _is_probabilities(b):
        return _Difference(False, max_abs, _n_rows(a.argmax(-1) != b.argmax(-1)))
    return _Difference(not alike.all(), max_abs)


def _is_label(array: np.ndarray) -> bool:
    return array.dtype.kind in LABELS


def _as_floats(array: np.ndarray) -> np.ndarray:
    """In double precision; BF16, too, which is no kind of number to numpy."""
    return array.astype(np.float64)


def _is_probabilities(array: np.ndarray) -> bool:
    """Rows of at least two that sum to one. Without a dimension for rows they would do so by chance."""
    if array.ndim < 2 or array.size == 0 or array.shape[-1] < 2:
        return False
    return bool((array >= 0).all() and (np.abs(array.sum(-1) - 1) <= SUM_TOLERANCE).all())


def _n_rows(flipped: np.ndarray) -> int:
    """How many rows have at least one that flipped."""
    rows = flipped.reshape(flipped.shape[0] if flipped.ndim else 1, -1) if flipped.size else flipped.reshape(0, 0)
    return int(rows.any(1).sum())


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
