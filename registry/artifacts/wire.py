"""The outermost layer of a protobuf message, as far as the first bytes show it.

Source: the wire format of Protocol Buffers, https://protobuf.dev/programming-guides/encoding/. Only tags and lengths
are read here, no value is interpreted, so this is safe on any bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}


@dataclass(frozen=True, slots=True)
class Field:
    """One top-level field: `length` is what its value takes, from `start` on; `value` is set for varints."""

    number: int
    kind: int
    start: int
    length: int
    value: int = 0

    @property
    def end(self) -> int:
        return self.start + self.length


class Malformed(ValueError):
    """These bytes are no protobuf message."""


def fields(head: bytes) -> Iterator[Field]:
    """The fields that begin within `head`; the last may end behind it. Raises Malformed at the first wrong byte."""
    position = 0
    while position < len(head):
        try:
            tag, start = varint(head, position)
            number, kind = tag >> 3, tag & 7
            yield (field := _field(head, number, kind, start))
        except IndexError:
            return
        position = field.end


def _field(head: bytes, number: int, kind: int, start: int) -> Field:
    if number == 0:
        raise Malformed("field number 0")
    if kind == VARINT:
        value, end = varint(head, start)
        return Field(number, kind, start, end - start, value)
    if kind == BYTES:
        length, begin = varint(head, start)
        return Field(number, kind, begin, length)
    if kind in _FIXED:
        return Field(number, kind, start, _FIXED[kind])
    raise Malformed(f"wire type {kind}")


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Value and the position behind it. IndexError at the end of the data."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise Malformed("varint too long")
