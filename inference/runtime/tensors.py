"""Plain values, as JSON gives them, to numpy arrays: strictly. Nothing is wrapped, truncated, parsed or guessed; what
does not fit is refused with a sentence that names the tensor.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

from portal.lib.errors import InvalidInput
from registry.artifacts.signature import NUMPY_DTYPES, TensorSpec

DTYPES: dict[str, np.dtype] = {
    **{datatype: np.dtype(name) for datatype, name in NUMPY_DTYPES.items()},
    "BF16": np.dtype(ml_dtypes.bfloat16),
}

# The struct module converts many numbers at once as strictly as we want it: it refuses text, null and lists, floats in
# integers, and whatever is out of range. Only booleans pass as numbers; those are looked for separately.
PACK_CODES = {
    "INT8": "b",
    "UINT8": "B",
    "INT16": "h",
    "UINT16": "H",
    "INT32": "i",
    "UINT32": "I",
    "INT64": "q",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}

MAX_SIZE = 2**31 - 1


def to_array(
    name: str, datatype: Any, shape: Any, data: Any, spec: TensorSpec, may_hold_bools: bool = True
) -> np.ndarray:
    """The tensor of `shape` from a flat row-major or a nested list. The array is read-only.

    `may_hold_bools=False` is the caller's knowledge that no boolean can stand in `data`; it saves a look at each value.
    Raises InvalidInput with code `wrong_datatype`, `wrong_shape` or `wrong_value`.
    """
    if datatype != spec.datatype:
        raise _wrong_datatype(name, datatype, spec)
    check_against(spec, shape, name)
    if type(data) is not list:
        raise InvalidInput(f"Input {quoted(name)}: data must be a list.", code="wrong_shape")
    flat = _flatten(name, shape, data) if data and shape and type(data[0]) is list else data
    if len(flat) != prod(shape):
        raise _wrong_count(name, shape, len(flat))
    if not flat and datatype != "BF16":
        return empty_tensor(spec, shape)
    code = PACK_CODES.get(datatype)
    if code is None:
        return _unpacked(name, datatype, shape, flat)
    if may_hold_bools and bool in set(map(type, flat)):
        raise _wrong_value(name, datatype, flat)
    try:
        return np.ndarray(shape, DTYPES[datatype], _packer(code, len(flat))(*flat))
    except (struct.error, OverflowError, TypeError):
        raise _wrong_value(name, datatype, flat) from None


@lru_cache(maxsize=256)
def _packer(code: str, count: int) -> Callable[..., bytes]:
    return struct.Struct(f"={count}{code}").pack


def check_datatype(spec: TensorSpec, datatype: Any) -> None:
    """Raise InvalidInput (`wrong_datatype`) unless it is the spec's."""
    if datatype != spec.datatype:
        raise _wrong_datatype(spec.name, datatype, spec)


def check_against(spec: TensorSpec, shape: Any, name: str | None = None) -> None:
    """Raise InvalidInput (`wrong_shape`) unless `shape` is a list of sizes that the spec allows."""
    expected = spec.shape
    if (type(shape) is list or type(shape) is tuple) and len(shape) == len(expected):
        for size, wanted in zip(shape, expected):  # noqa: B905 (this is the hot path, and the lengths are the same)
            # The type too: True == 1 == 1.0.
            if type(size) is not int or size < 0 or (size != wanted and wanted != -1):
                break
        else:
            return
    raise InvalidInput(
        f"Input {quoted(name or spec.name)}: the shape must be {shown_shape(expected)}, not {shown(shape)}.",
        code="wrong_shape",
        details={"input": spec.name, "expected": list(expected)},
    )


def _flatten(name: str, shape: Sequence[int], data: list[Any]) -> Sequence[Any]:
    """The values of a nested list whose every level has exactly the length that the shape says."""
    rows: Sequence[Any] = data
    if len(rows) != shape[0]:
        raise _ragged(name, shape)
    for size in shape[1:]:
        if rows and (set(map(type, rows)) != {list} or set(map(len, rows)) != {size}):
            raise _ragged(name, shape)
        rows = tuple(chain.from_iterable(rows))
    return rows


def empty_tensor(spec: TensorSpec, shape: Sequence[int]) -> np.ndarray:
    """A tensor with a 0 in its shape; no data bounds its other sizes, so this does."""
    if prod(size or 1 for size in shape) > MAX_SIZE:
        raise InvalidInput(f"Input {quoted(spec.name)}: the shape {list(shape)} is too big.", code="wrong_shape")
    array = np.empty(shape, DTYPES[spec.datatype])
    array.flags.writeable = False
    return array


def _unpacked(name: str, datatype: str, shape: Sequence[int], flat: Sequence[Any]) -> np.ndarray:
    wanted = {"BOOL": bool, "BYTES": str}.get(datatype)
    if wanted is None:
        raise _not_json(name, datatype)
    if not set(map(type, flat)) <= {wanted}:
        raise _wrong_value(name, datatype, flat)
    return filled(datatype, shape, flat)


def filled(datatype: str, shape: Sequence[int], flat: Sequence[Any]) -> np.ndarray:
    """The tensor of values that are known to fit, at least one."""
    array = np.empty(len(flat), DTYPES[datatype])
    array[:] = flat
    array.flags.writeable = False
    return array.reshape(shape)


def _not_json(name: str, datatype: str) -> InvalidInput:
    return InvalidInput(
        f"Input {quoted(name)}: {datatype} cannot be written in JSON; send it as a binary tensor.",
        code="wrong_datatype",
    )


def _wrong_count(name: str, shape: Sequence[int], count: int) -> InvalidInput:
    return InvalidInput(
        f"Input {quoted(name)}: the shape {list(shape)} takes {prod(shape)} values, {count} were sent.",
        code="wrong_shape",
    )


def _wrong_datatype(name: str, datatype: Any, spec: TensorSpec) -> InvalidInput:
    return InvalidInput(
        f"Input {quoted(name)}: the model takes {spec.datatype}, not {shown(datatype)}.",
        code="wrong_datatype",
        details={"input": spec.name, "expected": spec.datatype},
    )


def _ragged(name: str, shape: Sequence[int]) -> InvalidInput:
    return InvalidInput(
        f"Input {quoted(name)}: the nested lists do not have the shape {list(shape)}; "
        "send lists of exactly these lengths, or one flat list.",
        code="wrong_shape",
    )


def _wrong_value(name: str, datatype: str, flat: Sequence[Any]) -> InvalidInput:
    position = next((index for index, value in enumerate(flat) if not _fits(value, datatype)), 0)
    return InvalidInput(
        f"Input {quoted(name)}: value {position} is {_kind(flat[position])}, which {datatype} cannot hold.",
        code="wrong_value",
        details={"position": position},
    )


def _fits(value: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return type(value) is str
    if type(value) is bool or datatype == "BOOL":
        return type(value) is bool and datatype == "BOOL"
    try:
        struct.pack(PACK_CODES[datatype], value)
    except (struct.error, OverflowError, TypeError):
        return False
    return True


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    return "a list" if isinstance(value, list) else "an object"


def quoted(name: Any) -> str:
    """A name from outside, short and printable enough to stand in a sentence."""
    text = str(name)
    return repr(text if len(text) <= 80 else text[:79] + "…")


def shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | list | tuple | None) else "an object"
    return text if len(text) <= 80 else text[:79] + "…"


def shown_shape(shape: Sequence[int]) -> str:
    """`[any, 4]` for (-1, 4)."""
    return "[" + ", ".join("any" if size == -1 else str(size) for size in shape) + "]"
