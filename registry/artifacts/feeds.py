"""Made-up inputs, for a probe run in the sandbox and for warming up a session that serves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.artifacts.signature import NUMPY_DTYPES

Array = np.ndarray[Any, np.dtype[Any]]
Dimension = int | str | None

_WORDS = ("a", "b", "yes", "no")


@dataclass(frozen=True, slots=True)
class InputSlot:
    """One input as the session declares it; a dimension is a size, the name of a free one, or None."""

    name: str
    datatype: str
    dimensions: tuple[Dimension, ...]

    @property
    def has_batch(self) -> bool:
        return bool(self.dimensions) and is_free(self.dimensions[0])


@dataclass(frozen=True, slots=True)
class Guess:
    """How to fill the inputs: which values, and what size the free dimensions other than the batch take."""

    values: str
    free: int


# From the most to the least likely to be accepted: tables and sequences first, then pictures.
GUESSES = (
    Guess("zeros", 8),
    Guess("ones", 8),
    Guess("random", 8),
    Guess("zeros", 1),
    Guess("zeros", 64),
    Guess("zeros", 224),
    Guess("ones", 1),
)


def is_free(dimension: Dimension) -> bool:
    return not isinstance(dimension, int) or dimension < 0


def shapes(slots: tuple[InputSlot, ...], guess: Guess, batch: int) -> list[tuple[int, ...]]:
    """Dimensions of the same name get the same size; each free first dimension is taken for the batch."""
    batches = {slot.dimensions[0] for slot in slots if slot.has_batch and isinstance(slot.dimensions[0], str)}

    def size(dimension: Dimension, axis: int) -> int:
        if not is_free(dimension):
            return int(dimension or 0)
        return batch if axis == 0 or dimension in batches else guess.free

    return [tuple(size(dimension, axis) for axis, dimension in enumerate(slot.dimensions)) for slot in slots]


def n_bytes(slots: tuple[InputSlot, ...], guess: Guess, batch: int) -> int:
    return sum(
        math.prod(shape) * np.dtype(NUMPY_DTYPES[slot.datatype]).itemsize
        for slot, shape in zip(slots, shapes(slots, guess, batch), strict=True)
    )


def feed(slots: tuple[InputSlot, ...], guess: Guess, batch: int) -> dict[str, Array]:
    random = np.random.default_rng(7)
    fill = _FILLS[guess.values]
    return {
        slot.name: fill(shape, slot.datatype, random)
        for slot, shape in zip(slots, shapes(slots, guess, batch), strict=True)
    }


def feed_of_rows(
    slots: tuple[InputSlot, ...], guess: Guess, batch: int, random: np.random.Generator
) -> dict[str, Array]:
    """Like `feed`, with rows that differ in scale too, from a hundredth to a hundredfold."""
    fill = _FILLS[guess.values]
    scale = 10.0 ** random.uniform(-2, 2, size=batch)
    arrays = {}
    for slot, shape in zip(slots, shapes(slots, guess, batch), strict=True):
        array = fill(shape, slot.datatype, random)
        if slot.datatype.startswith("FP"):
            array = (array * scale.reshape(-1, *(1,) * (array.ndim - 1))).astype(array.dtype)
        arrays[slot.name] = array
    return arrays


def rows(inputs: dict[str, Array]) -> Iterator[dict[str, Array]]:
    """Cut a batch into single rows."""
    size = len(next(iter(inputs.values())))
    for index in range(size):
        yield {name: array[index : index + 1] for name, array in inputs.items()}


def identical(left: Array, right: Array) -> bool:
    """To the last bit, so that a NaN is like itself and -0 unlike 0."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype == object:
        return bool(np.array_equal(left, right))
    return left.tobytes() == right.tobytes()


def _constant(value: int) -> Callable[[tuple[int, ...], str, np.random.Generator], Array]:
    def fill(shape: tuple[int, ...], datatype: str, random: np.random.Generator) -> Array:
        if datatype == "BYTES":
            return np.full(shape, _WORDS[value], dtype=object)
        return np.full(shape, value, dtype=NUMPY_DTYPES[datatype])

    return fill


def _random(shape: tuple[int, ...], datatype: str, random: np.random.Generator) -> Array:
    """Small values that differ from row to row."""
    if datatype == "BYTES":
        return np.asarray(random.choice(np.array(_WORDS, dtype=object), size=shape), dtype=object).reshape(shape)
    if datatype.startswith("FP"):
        return np.asarray(random.normal(size=shape)).astype(NUMPY_DTYPES[datatype])
    return np.asarray(random.integers(0, 2, size=shape)).astype(NUMPY_DTYPES[datatype])


_FILLS = {"zeros": _constant(0), "ones": _constant(1), "random": _random}
