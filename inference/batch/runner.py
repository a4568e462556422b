"""Computes the rows of one chunk. Rows that the model refuses are found by halving the block they stand in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import numpy as np

from inference.batch.faults import BadRow
from inference.batch.layout import Layout
from inference.batch.parsed import Batch, Parsed
from inference.batch.suspects import is_careful, is_poison
from inference.batch.writers import Writer, WrongOutput
from portal.lib.errors import Unprocessable


class Runs(Protocol):
    """A model session."""

    def run(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]: ...


@dataclass(slots=True)
class Scored:
    """The first `n_rows` rows, all of them unless the time was up: their lines and the bad ones among them."""

    n_rows: int
    lines: list[bytes]
    bad: list[BadRow]

    def output(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)


@dataclass(slots=True)
class Runner:
    """`enter(begin, end)` is told which rows the model gets next and may raise to stop. `end_at` is monotonic time."""

    session: Runs
    layout: Layout
    writer: Writer
    block_rows: int
    enter: Callable[[int, int], None] = lambda begin, end: None
    deaths: Sequence[Sequence[int]] = ()
    end_at: float = float("inf")
    _lines: dict[int, bytes] = field(default_factory=dict)
    _bad: list[BadRow] = field(default_factory=list)
    _line_numbers: Sequence[int] = ()

    def score(self, parsed: Parsed) -> Scored:
        self._lines, self._bad, self._line_numbers = {}, list(parsed.bad), parsed.lines
        n_rows = len(parsed.lines)
        for batch in parsed.batches:
            stopped_at = self._run_batch(batch)
            if stopped_at is not None:
                n_rows = stopped_at
                break
        return self._scored(n_rows)

    def _scored(self, n_rows: int) -> Scored:
        """Bad rows get their lines last, so that good lines know whether they need an empty error cell."""
        bad = sorted(row for row in self._bad if row.row < n_rows)
        tail = b"," if bad and self.writer.csv else b""
        lines = self._lines if not tail else {row: line + tail for row, line in self._lines.items()}
        lines.update((row.row, self.writer.bad_line(row)) for row in bad)
        return Scored(n_rows, [lines[row] for row in range(n_rows)], bad)

    def _run_batch(self, batch: Batch) -> int | None:
        """The row at which the time was up, or None."""
        step = 1 if self.layout.row_by_row else self.block_rows
        for begin in range(0, len(batch.rows), step):
            if begin + batch.rows[0] > 0 and monotonic() > self.end_at:
                return int(batch.rows[begin])
            self._run_watched(batch, begin, min(begin + step, len(batch.rows)))
        return None

    def _run_watched(self, batch: Batch, begin: int, end: int) -> None:
        if not self.deaths or not is_careful(self.deaths, int(batch.rows[begin]), int(batch.rows[end - 1]) + 1):
            self._run(batch, begin, end)
            return
        for index in range(begin, end):
            if is_poison(self.deaths, int(batch.rows[index])):
                self._blame(batch, index, "crashed", "The worker died each time the model computed this row.")
            else:
                self._run(batch, index, index + 1)

    def _run(self, batch: Batch, begin: int, end: int) -> None:
        self.enter(int(batch.rows[begin]), int(batch.rows[end - 1]) + 1)
        try:
            lines = self.writer.lines(self.session.run(self._feed(batch, begin, end)), end - begin)
        except (Unprocessable, WrongOutput) as error:
            self._refused(batch, begin, end, error)
        else:
            self._lines.update(zip(batch.rows[begin:end].tolist(), lines, strict=True))

    def _refused(self, batch: Batch, begin: int, end: int, error: Exception) -> None:
        if end - begin > 1:
            middle = (begin + end) // 2
            self._run(batch, begin, middle)
            self._run(batch, middle, end)
        elif isinstance(error, Unprocessable):
            self._blame(batch, begin, error.code, error.message)
        else:
            reason = "The model's answer does not have the shape that its signature says."
            self._blame(batch, begin, "wrong_output", reason)

    def _feed(self, batch: Batch, begin: int, end: int) -> dict[str, np.ndarray]:
        """An input that is not stacked takes the row itself; such models run row by row."""
        return {
            item.name: batch.inputs[item.name][begin:end] if item.stacked else batch.inputs[item.name][begin]
            for item in self.layout.inputs
        }

    def _blame(self, batch: Batch, index: int, code: str, reason: str) -> None:
        row = int(batch.rows[index])
        self._bad.append(BadRow(row, self._line_numbers[row], code, reason))
