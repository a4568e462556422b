"""Whether several requests may share one run: only if it pays, and if each row's answer stays the same to the last bit.

Runs in the sandbox child only. What is found holds for one thread on a processor of this kind.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from registry.artifacts.feeds import Array, Guess, InputSlot, feed_of_rows, identical, is_free

Inputs = dict[str, Array]
Run = Callable[[Inputs], list[Array]]

MAX_ROWS = 16
# Below this, waiting for a second request costs more than sharing a run saves.
PAYS = 1.5
# What two rows must gain for more of them to be worth a look; nets bound by arithmetic stay at 1.
PROMISES = 1.2
DRAWS = 3
# A model of many sizes is tried at these as well: its kernels may differ between them.
MORE_FREE_SIZES = (1, 3)
_CLOCK = time.perf_counter


class _Rows:
    """Made-up rows, all different, and what the model answers to each alone, once that is asked for."""

    def __init__(self, inputs: Inputs, size: int, run: Run) -> None:
        self._inputs = inputs
        self._size = size
        self._run = run

    def take(self, order: Sequence[int]) -> Inputs:
        return {name: array[list(order)] for name, array in self._inputs.items()}

    @cached_property
    def answers(self) -> list[list[Array]]:
        return [self._run(self.take([row])) for row in range(self._size)]

    def same_together(self, order: Sequence[int]) -> bool:
        """Whether each row of these, together and in this order, has the answer that it has alone."""
        return all(
            len(output) == len(order)
            and all(identical(output[at : at + 1], self.answers[row][index]) for at, row in enumerate(order))
            for index, output in enumerate(self._run(self.take(order)))
        )


class Joining:
    """`end` is when it has to be done, in seconds of `time.perf_counter`; `row_seconds` what one row takes alone."""

    def __init__(
        self, run: Run, slots: tuple[InputSlot, ...], accepted: Guess, *, row_seconds: float, end: float
    ) -> None:
        self._run = run
        self._slots = slots
        self._accepted = accepted
        self._row_seconds = row_seconds
        self._end = end
        self._random = np.random.default_rng(11)

    def look(self, most: int = MAX_ROWS) -> dict[str, Any] | None:
        """`max_size`: up to so many rows are exact together, 1 for none. `gain`: so many rows together take 1/gain of
        what they take one by one; for a `max_size` of 1, as it was for the size that was tried.

        None when it could not be found out.
        """
        size = min(most, self._affordable())
        if size < 2 or _batch_is_inside(self._slots):
            return None
        try:
            return self._look(size)
        except Exception:
            # The model refuses values like these, so nothing is known.
            return None

    def _look(self, size: int) -> dict[str, Any]:
        rows = self._make(self._accepted.free, size)
        gain = self._gain(rows, 2)
        if gain >= PROMISES:
            gain = self._gain(rows, size)
        if gain < PAYS:
            return _verdict(1, gain)
        exact = self._exact_up_to([rows, *self._of_other_sizes(size)], size)
        if 1 < exact < size:
            gain = self._gain(rows, exact)
        return _verdict(exact if gain >= PAYS else 1, gain)

    def _affordable(self) -> int:
        left = self._end - _CLOCK()
        return next((size for size in (MAX_ROWS, 8, 4, 2) if self._row_seconds * size * 4 <= left), 0)

    def _of_other_sizes(self, size: int) -> list[_Rows]:
        if all(not is_free(dimension) for slot in self._slots for dimension in slot.dimensions[1:]):
            return []
        return [self._make(free, size) for free in MORE_FREE_SIZES]

    def _make(self, free: int, size: int) -> _Rows:
        return _Rows(feed_of_rows(self._slots, Guess("random", free), size, self._random), size, self._run)

    def _exact_up_to(self, samples: list[_Rows], most: int) -> int:
        """Every size from 2 on must hold, in several orders; the first that does not, or that time forbids, ends it."""
        for size in range(2, most + 1):
            for rows in samples * DRAWS:
                order = self._random.permutation(most)[:size].tolist()
                if _CLOCK() >= self._end or not rows.same_together(order):
                    return size - 1
        return most

    def _gain(self, rows: _Rows, size: int) -> float:
        """By medians of turns, so that what else the machine does falls on both; at least three, more of short ones."""
        one, many = rows.take([0]), rows.take(range(size))
        alone: list[float] = []
        together: list[float] = []
        while len(alone) < 3 or (len(alone) < 25 and sum(together) < 0.001):
            alone.append(self._seconds(one))
            together.append(self._seconds(many))
        return size * statistics.median(alone) / statistics.median(together)

    def _seconds(self, inputs: Inputs) -> float:
        started = _CLOCK()
        self._run(inputs)
        return _CLOCK() - started


def _batch_is_inside(slots: tuple[InputSlot, ...]) -> bool:
    """True when a batch's size stands elsewhere than in front too, as in [N, N]: single rows cannot be cut out."""
    names = {slot.dimensions[0] for slot in slots if isinstance(slot.dimensions[0], str)}
    return any(dimension in names for slot in slots for dimension in slot.dimensions[1:])


def _verdict(max_size: int, gain: float) -> dict[str, Any]:
    return {"max_size": max_size, "gain": round(float(gain), 2)}
