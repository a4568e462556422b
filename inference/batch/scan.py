"""Cuts a file into runs of whole rows, in one pass and constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np

from inference.batch.csv_rows import BLANK, csv_rows
from inference.batch.faults import BadFile

BLOCK = 1 << 20
MAX_ROW_BYTES = 16 << 20
NEWLINE = 10


class Cut(NamedTuple):
    """Rows `[first_row, first_row + n_rows)` at bytes `[start, end)`; `first_line` counts from 1."""

    first_row: int
    n_rows: int
    start: int
    end: int
    first_line: int


class Ends(NamedTuple):
    """For each of some rows, the byte and the line after it."""

    bytes: np.ndarray
    lines: np.ndarray


def cuts(
    file: BinaryIO, *, start: int, line: int, delimiter: str | None, max_rows: int, max_bytes: int
) -> Iterator[Cut]:
    """`delimiter` is None for JSONL. A cut is longer than `max_bytes` only when its one row is. Raises BadFile."""
    first_row = 0
    held = Ends(np.empty(0, np.int64), np.empty(0, np.int64))
    for ends in row_ends(file, start, line, delimiter):
        held = Ends(np.concatenate([held.bytes, ends.bytes]), np.concatenate([held.lines, ends.lines]))
        while len(held.bytes) > max_rows or (len(held.bytes) and held.bytes[-1] - start > max_bytes):
            n_rows = _fitting(held, start, max_rows, max_bytes)
            cut = Cut(first_row, n_rows, start, int(held.bytes[n_rows - 1]), line)
            yield cut
            first_row, start, line = first_row + n_rows, cut.end, int(held.lines[n_rows - 1])
            held = Ends(held.bytes[n_rows:], held.lines[n_rows:])
    if len(held.bytes):
        yield Cut(first_row, len(held.bytes), start, int(held.bytes[-1]), line)


def _fitting(held: Ends, start: int, max_rows: int, max_bytes: int) -> int:
    by_bytes = int(np.searchsorted(held.bytes, start + max_bytes, side="right"))
    return max(1, min(max_rows, by_bytes))


def row_ends(file: BinaryIO, start: int, line: int, delimiter: str | None) -> Iterator[Ends]:
    """From byte `start`, which is on line `line`, to the end of the file."""
    file.seek(start)
    rest = b""
    while True:
        block = file.read(BLOCK)
        data = rest + block
        if not data:
            return
        whole = data if not block else data[: data.rfind(b"\n") + 1]
        ends, used, n_lines = _ends_within(whole, delimiter, last=not block, line=line)
        yield Ends(start + ends.bytes, line + ends.lines)
        start, line, rest = start + used, line + n_lines, data[used:]
        if len(rest) > MAX_ROW_BYTES:
            limit = MAX_ROW_BYTES >> 20
            raise BadFile("row_too_long", f"The row that begins on line {line} is longer than {limit} MB.")
        if not block:
            return


def _ends_within(whole: bytes, delimiter: str | None, *, last: bool, line: int) -> tuple[Ends, int, int]:
    """The rows that end in `whole`, how many of its bytes are used up, and how many lines that is."""
    if (delimiter is None or b'"' not in whole) and not has_blank_lines(whole):
        ends = np.flatnonzero(np.frombuffer(whole, np.uint8) == NEWLINE) + 1
        if last and whole and not whole.endswith(b"\n"):
            ends = np.append(ends, len(whole))
        return Ends(ends, np.arange(1, len(ends) + 1)), len(whole), len(ends)
    return _line_ends(whole) if delimiter is None else _csv_ends(whole, delimiter, last=last, line=line)


def has_blank_lines(data: bytes) -> bool:
    return data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data


def _line_ends(whole: bytes) -> tuple[Ends, int, int]:
    ends, lines, end, number = [], [], 0, 0
    for number, line in enumerate(BytesIO(whole), 1):
        end += len(line)
        if line not in BLANK:
            ends.append(end)
            lines.append(number)
    return _arrays(ends, lines), len(whole), number


def _csv_ends(whole: bytes, delimiter: str, *, last: bool, line: int) -> tuple[Ends, int, int]:
    ends: list[int] = []
    lines: list[int] = []
    for row in csv_rows(whole, delimiter):
        if not row.complete:
            begin = line + (lines[-1] if lines else 0)
            if last or row.cells is None:
                raise _open_quote(begin)
            used, n_lines = (ends[-1], lines[-1]) if ends else (0, 0)
            return _arrays(ends, lines), used, n_lines
        ends.append(row.end)
        lines.append(row.n_lines)
    return _arrays(ends, lines), len(whole), whole.count(b"\n")


def _open_quote(line: int) -> BadFile:
    return BadFile("open_quote", f"A quote that opens on or after line {line} is not closed, or its cell is too long.")


def _arrays(ends: list[int], lines: list[int]) -> Ends:
    return Ends(np.array(ends, np.int64), np.array(lines, np.int64))


def place_of_row(data: bytes, row: int, first_line: int, delimiter: str | None) -> tuple[int, int]:
    """The byte within `data` at which its row number `row` (not 0) begins, and the line."""
    found = list(row_ends(BytesIO(data), 0, first_line, delimiter))
    ends = np.concatenate([part.bytes for part in found])
    lines = np.concatenate([part.lines for part in found])
    return int(ends[row - 1]), int(lines[row - 1])
