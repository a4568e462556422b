"""CSV rows with the byte and line where each ends, read by Python's csv module so that quoted cells may hold newlines.

Entirely blank lines are no rows. A cell may hold at most `MAX_CELL` characters: beyond that a closing quote is missing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

MAX_CELL = 1 << 20
BLANK = (b"\n", b"\r\n")
csv.field_size_limit(MAX_CELL)


class CsvRow(NamedTuple):
    """`end` counts bytes and `n_lines` lines from the beginning of the data, and the row begins on line `line`, from 0.

    `cells` is None where `problem` says why. A row that is not `complete` ends with the data, inside open quotes.
    """

    end: int
    n_lines: int
    line: int
    cells: list[str] | None
    problem: str
    complete: bool = True


class _Lines:
    """Feeds the reader and counts. Bytes that are not UTF-8 become lone surrogates, which no used cell may hold."""

    def __init__(self, data: bytes) -> None:
        self.data, self.end, self.n_lines, self.exhausted = data, 0, 0, False

    def __iter__(self) -> Iterator[str]:
        while self.end < len(self.data):
            newline = self.data.find(b"\n", self.end)
            stop = len(self.data) if newline < 0 else newline + 1
            line = self.data[self.end : stop].decode("utf-8", "surrogateescape")
            self.end, self.n_lines = stop, self.n_lines + 1
            yield line
        self.exhausted = True


def csv_rows(data: bytes, delimiter: str) -> Iterator[CsvRow]:
    """Reads on after a row that the csv module refuses. A cell over the limit ends the reading as not complete."""
    lines = _Lines(data)
    reader = csv.reader(iter(lines), delimiter=delimiter)
    while True:
        begin, line = lines.end, lines.n_lines
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field larger" in str(error):
                yield CsvRow(lines.end, lines.n_lines, line, None, "has a cell that is too long", complete=False)
                return
            yield CsvRow(lines.end, lines.n_lines, line, None, "holds a carriage return outside quotes")
            continue
        if data[begin : lines.end] not in BLANK:
            yield CsvRow(lines.end, lines.n_lines, line, cells, "", complete=not lines.exhausted)
