"""Reads what a model's process says, and believes none of it. Everything odd raises OddReply, nothing else does."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import orjson

from inference.runtime.isolated import faults
from inference.runtime.isolated.layout import DTYPES, Place, read
from inference.runtime.isolated.wire import OddReply
from portal.lib.errors import PortalError, Unprocessable
from registry.artifacts.signature import TensorSpec

MAX_RANK = 64
# The most elements that an array may count without its zeros.
MAX_COUNT = 1 << 40
LONGEST_SENTENCE = 300


def parse_outputs(body: bytes, specs: Sequence[TensorSpec], memory: mmap.mmap) -> list[np.ndarray]:
    """Copies of the outputs that lie in `memory` where the reply says.

    Datatypes must be the signature's, and places must fit the shapes, the memory and each other. The shapes are the
    model's own, as in any other session: what it declared about them need not hold.
    """
    entries = _json(body)
    if type(entries) is not list or len(entries) != len(specs):
        raise OddReply("not the outputs that were asked for")
    places = [_place(entry, spec) for entry, spec in zip(entries, specs, strict=True)]
    end = 0
    for place in places:
        if place.offset < end or place.offset + place.size > len(memory):
            raise OddReply("an output lies outside its place")
        end = place.offset + place.size
    try:
        return [read(place, memory, copy=True) for place in places]
    except ValueError as error:
        raise OddReply("an output cannot be read") from error


def parse_needs(body: bytes, limit: int) -> int:
    """How many bytes of memory the outputs take. Raises Unprocessable where that is more than `limit`."""
    size = _json(body)
    if type(size) is not int or size <= 0:
        raise OddReply("no size")
    if size > limit:
        raise faults.out_of_memory()
    return size


def parse_refusal(body: bytes) -> PortalError:
    entry = _json(body)
    if type(entry) is not list or len(entry) != 2 or any(type(part) is not str for part in entry):
        raise OddReply("no refusal")
    code, message = entry
    if code == "deadline_exceeded":
        return faults.too_late()
    if code == "model_out_of_memory":
        return faults.out_of_memory()
    if code not in ("model_refused", "output_not_json"):
        raise OddReply("an unknown refusal")
    return Unprocessable(_sentence(message), code=code)


def _place(entry: Any, spec: TensorSpec) -> Place:
    if type(entry) is not list or len(entry) != 4:
        raise OddReply("no place")
    datatype, shape, offset, size = entry
    if datatype != spec.datatype or type(shape) is not list or len(shape) > MAX_RANK:
        raise OddReply("not the output's type")
    if any(type(number) is not int or not 0 <= number < 1 << 63 for number in (*shape, offset, size)):
        raise OddReply("no numbers")
    if prod(number or 1 for number in shape) > MAX_COUNT:
        raise OddReply("too big")
    _check_size(datatype, prod(shape), size)
    return Place(datatype, tuple(shape), offset, size)


def _check_size(datatype: str, count: int, size: int) -> None:
    """A text takes at least the four bytes of its length."""
    fits = size >= 4 * count if datatype == "BYTES" else size == DTYPES[datatype].itemsize * count
    if not fits:
        raise OddReply("the size is not the shape's")


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise OddReply("no JSON") from error


def _sentence(message: str) -> str:
    text = "".join(character if character.isprintable() else " " for character in message[:LONGEST_SENTENCE])
    return text or "The model refused these values."
