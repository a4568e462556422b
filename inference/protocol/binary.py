"""Raw tensors, as V2's binary extension has them: little-endian, row-major, without padding.

A BOOL is one byte, 0 or 1. A BYTES element is its length in 4 bytes and then its bytes, which must be UTF-8 because
ONNX has no other texts. NaN and infinities pass: these formats have a place for them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from inference.runtime.tensors import DTYPES, check_against, check_datatype, empty_tensor, filled, quoted, shown
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.signature import TensorSpec

LENGTH = struct.Struct("<I")


class RawTensors:
    """The part of a body behind its JSON. Tensors are taken one after the other; `finish` says that all were."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes, start: int) -> None:
        self._body = body
        self._at = start

    def take(self, spec: TensorSpec, datatype: Any, shape: Any, size: Any) -> np.ndarray:
        """The next tensor, of `size` bytes: read-only, and a view of the body where that is aligned."""
        check_datatype(spec, datatype)
        check_against(spec, shape)
        if type(size) is not int or size < 0:
            raise _wrong_size(f"Input {quoted(spec.name)}: binary_data_size must be a number of bytes.")
        start, self._at = self._at, self._at + size
        if self._at > len(self._body):
            raise _wrong_size(f"Input {quoted(spec.name)}: the body ends before its {size} bytes do.")
        return read_tensor(spec, shape, self._body, start, size)

    def finish(self) -> None:
        left_over = len(self._body) - self._at
        if left_over:
            raise _wrong_size(f"The body has {left_over} bytes that belong to no tensor.")


def read_tensor(spec: TensorSpec, shape: Sequence[int], body: bytes, start: int, size: int) -> np.ndarray:
    """`size` bytes of `body` from `start` on, as an array of a shape that the spec allows."""
    if spec.datatype == "BYTES":
        return _read_texts(spec, shape, body, start, size)
    dtype = DTYPES[spec.datatype]
    count = prod(shape)
    if count * dtype.itemsize != size:
        raise _wrong_size(
            f"Input {quoted(spec.name)}: {size} bytes are not the {spec.datatype} values of shape {shown(shape)}, "
            f"each of which takes {dtype.itemsize}."
        )
    if not count:
        return empty_tensor(spec, shape)
    if spec.datatype == "BOOL":
        _check_bools(spec, np.frombuffer(body, np.uint8, count, start))
    array = np.frombuffer(body, dtype, count, start)
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array.reshape(shape)


def _check_bools(spec: TensorSpec, values: np.ndarray) -> None:
    if values.max() > 1:
        position = int(np.argmax(values > 1))
        raise _wrong_value(spec, position, f"the byte {values[position]}, which is neither 0 nor 1")


def _read_texts(spec: TensorSpec, shape: Sequence[int], body: bytes, start: int, size: int) -> np.ndarray:
    count, end = prod(shape), start + size
    texts: list[str] = []
    # Each has at least its length: without this, a shape could ask for any number of turns.
    if count * LENGTH.size <= size:
        for _ in range(count):
            start += LENGTH.size
            stop = start + int.from_bytes(body[start - LENGTH.size : start], "little")
            if stop > end or start > end:
                break
            texts.append(_text(spec, len(texts), body[start:stop]))
            start = stop
    if len(texts) != count or start != end:
        raise _wrong_size(
            f"Input {quoted(spec.name)}: {size} bytes are not the elements of shape {shown(shape)}, "
            "each behind its length in 4 bytes."
        )
    return filled("BYTES", shape, texts) if texts else empty_tensor(spec, shape)


def read_text(spec: TensorSpec, body: bytes) -> str:
    """The whole of `body` as one element."""
    return _text(spec, 0, body)


def _text(spec: TensorSpec, position: int, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _wrong_value(spec, position, "no UTF-8 text, which is all that BYTES can hold here") from None


def write_tensor(name: str, datatype: str, array: np.ndarray) -> bytes | np.ndarray:
    """Something with the bytes of the tensor: joined, written or measured like bytes, one copy cheaper."""
    if datatype == "BYTES":
        return _write_texts(name, array.ravel().tolist())
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _write_texts(name: str, texts: Sequence[Any]) -> bytes:
    parts: list[bytes] = []
    for text in texts:
        try:
            content = text if type(text) is bytes else text.encode()
        except (AttributeError, UnicodeEncodeError):
            raise Unprocessable(
                f"Output {quoted(name)} holds a value that is no text.", code="output_not_text"
            ) from None
        parts += (LENGTH.pack(len(content)), content)
    return b"".join(parts)


def _wrong_size(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="wrong_size")


def _wrong_value(spec: TensorSpec, position: int, what: str) -> InvalidInput:
    return InvalidInput(
        f"Input {quoted(spec.name)}: value {position} is {what}.", code="wrong_value", details={"position": position}
    )
