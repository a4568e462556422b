"""A first look at a file: its encoding, its header, how its columns feed the model. Raises BadFile."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import BinaryIO, NamedTuple

from inference.batch.csv_rows import CsvRow, csv_rows
from inference.batch.faults import BadFile, BadValue
from inference.batch.layout import Layout, listed
from inference.batch.mapping import map_table, sniff_delimiter
from inference.batch.read_jsonl import parse_object

HEAD_BYTES = 1 << 20
SAMPLE_ROWS = 200
BOM = b"\xef\xbb\xbf"


class Opening(NamedTuple):
    """The rows begin at byte `start`, on line `line`."""

    layout: Layout
    start: int
    line: int


def open_table(file: BinaryIO, bare: Layout) -> Opening:
    head, start = _head(file)
    first_line = head[: head.find(b"\n") + 1] or head
    delimiter = sniff_delimiter(first_line.decode("utf-8", "replace"))
    rows = list(islice((row for row in csv_rows(head, delimiter) if row.complete), SAMPLE_ROWS + 1))
    if not rows:
        raise BadFile("open_quote", "The first line of the file opens a quote that is not closed.")
    first = _first_cells(rows[0])
    sample = [row.cells for row in rows[1:] if row.cells]
    layout = map_table(bare, first, sample, delimiter)
    if not layout.header:
        return Opening(layout, start, 1)
    return Opening(layout, start + rows[0].end, 1 + rows[0].n_lines)


def open_jsonl(file: BinaryIO, bare: Layout) -> Opening:
    head, start = _head(file)
    sample = [row for line in islice(BytesIO(head), SAMPLE_ROWS) if (row := _object_or_none(line)) is not None]
    if not sample:
        raise BadFile("not_jsonl", "No line of the file's beginning is a JSON object: send one object per line.")
    found = {key for row in sample for key in row}
    wanted = [
        name for item in bare.inputs for name in ([item.name] if item.name in found else item.features or [item.name])
    ]
    absent = [name for name in wanted if name not in found]
    if absent:
        raise BadFile(
            "missing_column",
            f"The lines lack the {'key' if len(absent) == 1 else 'keys'} {listed(absent)}. "
            f"The model needs {listed(wanted)}; the lines have {listed(sorted(found))}.",
        )
    return Opening(bare, start, 1)


def _head(file: BinaryIO) -> tuple[bytes, int]:
    """Whole lines of the beginning as far as `HEAD_BYTES` reach, and where they start."""
    head = file.read(HEAD_BYTES)
    if not head.strip():
        raise BadFile("empty_file", "The file is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadFile("not_utf8", "The file is UTF-16: save it as UTF-8.")
    if len(head) == HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    start = len(BOM) if head.startswith(BOM) else 0
    return head[start:], start


def _first_cells(row: CsvRow) -> list[str]:
    if row.cells is None:
        raise BadFile("bad_line_ends", "The lines do not end in a line feed: save the file with LF or CRLF line ends.")
    cells = row.cells
    if any("\ud800" <= character <= "\udfff" or character == "\0" for cell in cells for character in cell):
        raise BadFile("not_utf8", "The first line is not UTF-8 text: save the file as CSV in UTF-8.")
    return cells


def _object_or_none(line: bytes) -> dict[str, object] | None:
    try:
        return parse_object(line)
    except BadValue:
        return None
