"""V2's classification extension: in place of a tensor, the k largest values of each row with their indexes.

The answer is a BYTES tensor [rows, k] of `value:index` or `value:index:label`; k is at most the number of values in a
row. The first dimension counts the rows, but a single dimension of fixed size is one row. The largest comes first, and
of equal values the one with the lower index. NaN is written `nan` and comes after all numbers, infinities are `inf` and
`-inf`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.runtime.tensors import quoted
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import TensorSpec

MAX_CLASSES = 2**31 - 1


def n_classes(parameters: dict[str, Any], spec: TensorSpec) -> int:
    """The k that is asked for, 0 for none. Raises InvalidInput if the output has no values to put in order."""
    k = parameters.get("classification")
    if k is None or (type(k) is int and k == 0):
        return 0
    if type(k) is not int or not 0 < k <= MAX_CLASSES:
        raise InvalidInput(
            f"Output {quoted(spec.name)}: classification must be a number of classes: an integer, 1 or more.",
            code="invalid_parameters",
        )
    if spec.datatype in ("BYTES", "BOOL") or not spec.shape:
        raise InvalidInput(
            f"Output {quoted(spec.name)} cannot be classified: it needs numbers and a dimension.",
            code="classification_not_possible",
        )
    return k


def classify(spec: TensorSpec, array: np.ndarray, k: int, labels: Sequence[str] | None = None) -> np.ndarray:
    """The texts as an object array [rows, k]. `labels` are by index and may be fewer than there are values."""
    one_row = len(spec.shape) == 1 and spec.shape[0] != -1
    n_rows = 1 if one_row else array.shape[0]
    rows = array.reshape(n_rows, array.size // n_rows if n_rows else 0)
    order = _descending(rows)[:, :k]
    texts = np.empty(order.shape, object)
    for row, indexes in enumerate(order.tolist()):
        texts[row] = [_text(rows[row, index], index, labels) for index in indexes]
    return texts


def _descending(rows: np.ndarray) -> np.ndarray:
    """Indexes from the largest to the smallest of each row; a stable sort keeps equal ones in their order."""
    if rows.dtype.kind in "iu":
        # The complement reverses the order of signed and unsigned integers, and unlike a minus it never overflows.
        return np.argsort(~rows, axis=1, kind="stable")
    numbers = rows if rows.dtype.kind == "f" else rows.astype(np.float32)
    return np.argsort(-numbers, axis=1, kind="stable")


def _text(value: Any, index: int, labels: Sequence[str] | None) -> str:
    """str of a numpy number: as short as reads back to the same value."""
    text = f"{value!s}:{index}"
    return f"{text}:{labels[index]}" if labels is not None and index < len(labels) else text
