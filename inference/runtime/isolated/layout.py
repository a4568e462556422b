"""Arrays in shared memory: where each lies, into it and out of it.

Numbers lie as they are, row-major and aligned. A text is its length in 4 bytes, little-endian, and its bytes; the
highest bit of the length says that it is to be bytes and not text on the other side.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from registry.artifacts.signature import NUMPY_DTYPES

DTYPES: dict[str, np.dtype] = {
    **{datatype: np.dtype(name) for datatype, name in NUMPY_DTYPES.items()},
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
DATATYPES = {dtype: datatype for datatype, dtype in DTYPES.items()}
ALIGNMENT = 64
_LENGTH = struct.Struct("<I")
_RAW = 1 << 31


class Place(NamedTuple):
    """`offset` and `size` are in bytes."""

    datatype: str
    shape: tuple[int, ...]
    offset: int
    size: int


class Placed(NamedTuple):
    place: Place
    content: np.ndarray | bytes


def lay_out(arrays: Iterable[np.ndarray]) -> tuple[list[Placed], int]:
    """Where each goes, and how many bytes they take together. Raises ValueError for what is no tensor."""
    placed: list[Placed] = []
    end = 0
    for array in arrays:
        datatype, content, size = _content(array)
        offset = -(-end // ALIGNMENT) * ALIGNMENT
        placed.append(Placed(Place(datatype, array.shape, offset, size), content))
        end = offset + size
    return placed, end


def write(placed: Sequence[Placed], memory: mmap.mmap) -> None:
    for place, content in placed:
        if isinstance(content, bytes):
            memory[place.offset : place.offset + place.size] = content
        else:
            np.copyto(_view(place, memory), content)


def read(place: Place, memory: mmap.mmap, *, copy: bool) -> np.ndarray:
    """Raises ValueError where texts are not as they should be. Texts are copied in any case."""
    if place.datatype != "BYTES":
        return _view(place, memory).copy() if copy else _view(place, memory)
    array = np.empty(prod(place.shape), object)
    array[:] = unpack_texts(memory[place.offset : place.offset + place.size], array.size)
    return array.reshape(place.shape)


def pack_texts(values: Iterable[Any]) -> bytes:
    """Raises ValueError for what is neither text nor bytes, is not Unicode or is longer than 2 GB."""
    parts: list[bytes] = []
    for value in values:
        if not isinstance(value, str | bytes):
            raise ValueError("a tensor of texts holds something else")
        data, mark = (value.encode(), 0) if isinstance(value, str) else (value, _RAW)
        if len(data) >= _RAW:
            raise ValueError("a text is longer than 2 GB")
        parts += (_LENGTH.pack(len(data) | mark), data)
    return b"".join(parts)


def unpack_texts(data: bytes, count: int) -> list[str | bytes]:
    """Exactly `count` texts that fill `data`. Raises ValueError."""
    values: list[str | bytes] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(data):
            raise ValueError("texts end early")
        (length,) = _LENGTH.unpack_from(data, at)
        value = data[at + 4 : at + 4 + (length & ~_RAW)]
        values.append(value if length & _RAW else value.decode())
        at += 4 + (length & ~_RAW)
    if at != len(data):
        raise ValueError("texts do not fill their place")
    return values


def _content(array: Any) -> tuple[str, np.ndarray | bytes, int]:
    if not isinstance(array, np.ndarray):
        raise ValueError("not an array")
    if array.dtype.kind in "OU":
        texts = pack_texts(array.ravel().tolist())
        return "BYTES", texts, len(texts)
    datatype = DATATYPES.get(array.dtype.newbyteorder("="))
    if datatype is None:
        raise ValueError("an array of a type that tensors do not have")
    return datatype, array, array.nbytes


def _view(place: Place, memory: mmap.mmap) -> np.ndarray:
    return np.ndarray(place.shape, DTYPES[place.datatype], memory, place.offset)
