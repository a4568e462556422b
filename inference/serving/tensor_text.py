"""Tensors as the V2 JSON that is kept of them: a captured request can be sent again as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from registry.artifacts.signature import TensorSpec

# The least that JSON takes for a value, such as "0,", beside the most that numpy does.
LEAST_JSON, MOST_NUMPY = 2, 8
CUT_OFF = " …"
PLAIN = "biufO"


def named(specs: Iterable[TensorSpec], wanted: Sequence[str] | None, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """Outputs by name: `arrays` stand in the order of `wanted`, or in the signature's."""
    return dict(zip(wanted or [spec.name for spec in specs], arrays, strict=False))


def body_text(
    key: str, specs: Iterable[TensorSpec], arrays: Mapping[str, np.ndarray], *, most: int | None = None
) -> str:
    """`{"inputs": [...]}` or, by `key`, `{"outputs": [...]}`. `most` values of each tensor are written, all by default.

    NaN and infinities become null, and BF16 is written as plain numbers: this is for reading, too.
    """
    kinds = {spec.name: spec.datatype for spec in specs}
    tensors = [
        {"name": name, "datatype": kinds.get(name, ""), "shape": array.shape, "data": _data(array, most)}
        for name, array in arrays.items()
    ]
    return orjson.dumps({key: tensors}, None, orjson.OPT_SERIALIZE_NUMPY).decode()


def shortened(text: str, most: int) -> str:
    """Cut off with a mark; such a text is no JSON any more."""
    return text if len(text) <= most else text[: most - len(CUT_OFF)] + CUT_OFF


def n_bytes(arrays: Iterable[np.ndarray]) -> int:
    """What the tensors occupy, their texts included."""
    return sum(_size(array) for array in arrays)


def is_surely_longer(arrays: Iterable[np.ndarray], most: int) -> bool:
    """Whether the JSON of these must take more than `most` bytes, which can be said without making it."""
    return sum(array.nbytes for array in arrays) * LEAST_JSON > most * MOST_NUMPY


def is_plain(arrays: Iterable[np.ndarray]) -> bool:
    """Whether JSON can carry the values as they are: no BF16, and neither NaN nor infinities."""
    return all(array.dtype.kind in PLAIN and (array.dtype.kind != "f" or np.isfinite(array).all()) for array in arrays)


def _size(array: np.ndarray) -> int:
    if array.dtype.kind != "O":
        return array.nbytes
    return sum(map(len, array.reshape(-1).tolist())) + array.nbytes


def _data(array: np.ndarray, most: int | None) -> Any:
    flat = array.reshape(-1)[:most]
    if flat.dtype.kind in "OSU":
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in flat.tolist()]
    return np.ascontiguousarray(flat if flat.dtype.kind in "biuf" else flat.astype(np.float32))
