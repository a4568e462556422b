"""Outcomes as CSV: the columns request_id, label, reward and at, in any order; label or reward may be missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from django.utils.translation import gettext as _

from inference.batch.csv_rows import CsvRow, csv_rows
from inference.outcomes.reports import Rejected, Report, read_report, rejected
from inference.outcomes.truth import spelled
from portal.lib.errors import InvalidInput

COLUMNS = {"request_id", "label", "reward", "at"}
BLOCK_BYTES = 1 << 20
MOST_ROWS = 5_000
BOM = b"\xef\xbb\xbf"


class Head(NamedTuple):
    """`columns` in the file's order; rows begin at byte `offset`."""

    columns: list[str]
    delimiter: str
    offset: int


class Block(NamedTuple):
    """Some rows: what was read of them, how many they were, and the byte behind them, at which the file may end."""

    reports: list[Report]
    rejected: list[Rejected]
    n_rows: int
    offset: int
    ended: bool


def read_head(data: bytes) -> Head:
    """Of the file's beginning. Raises InvalidInput (`wrong_columns`)."""
    bare = data.removeprefix(BOM)
    end = bare.find(b"\n") + 1 or len(bare)
    line = bare[:end]
    delimiter = ";" if b";" in line and b"," not in line else ","
    cells = next((row.cells for row in csv_rows(line, delimiter)), None) or []
    columns = [cell.strip() for cell in cells]
    known = set(columns) <= COLUMNS and len(set(columns)) == len(columns)
    if not (known and "request_id" in columns and {"label", "reward"} & set(columns)):
        sentence = _("The first line has to name the columns: request_id, label or reward or both, and perhaps at.")
        raise InvalidInput(sentence, code="wrong_columns", details={"field": "file"})
    return Head(columns, delimiter, len(data) - len(bare) + end)


def read_block(file: BinaryIO, head: Head, offset: int, first_index: int, slug: str, now: datetime) -> Block:
    """The rows from byte `offset` on, at most `MOST_ROWS`. Raises InvalidInput (`bad_csv`) where a row never ends."""
    file.seek(offset)
    data = file.read(BLOCK_BYTES)
    ended = len(data) < BLOCK_BYTES
    whole = data if ended else data[: data.rfind(b"\n") + 1]
    block = Block([], [], 0, offset, ended)
    for row in _rows(whole, head.delimiter, ended):
        if block.n_rows == MOST_ROWS:
            return block._replace(ended=False)
        index = first_index + block.n_rows
        try:
            block.reports.append(read_report(index, _item(row, head, slug), now))
        except InvalidInput as error:
            block.rejected.append(rejected(index, error))
        block = block._replace(n_rows=block.n_rows + 1, offset=offset + row.end)
    if not ended and not block.n_rows:
        raise InvalidInput(_("A row is longer than one megabyte: perhaps a closing quote is missing."), code="bad_csv")
    return block


def _rows(data: bytes, delimiter: str, ended: bool) -> Iterator[CsvRow]:
    """A row that ends with the data inside open quotes is read again with what follows, unless nothing does."""
    for row in csv_rows(data, delimiter):
        if row.complete or ended:
            yield row


def _item(row: CsvRow, head: Head, slug: str) -> dict[str, Any]:
    """The row as a caller would have sent it in JSON. Raises InvalidInput."""
    if row.cells is None or len(row.cells) != len(head.columns):
        sentence = _("The row does not have the %(n)s cells that the first line has.") % {"n": len(head.columns)}
        raise InvalidInput(sentence, code="wrong_count")
    cells = {name: cell.strip() for name, cell in zip(head.columns, row.cells, strict=True) if cell.strip()}
    item: dict[str, Any] = {**cells, "endpoint": slug}
    if "label" in cells:
        item["label"] = _label(cells["label"])
    if "reward" in cells:
        item["reward"] = spelled(cells["reward"])
    return item


def _label(cell: str) -> Any:
    """A number, true, false or a list where the cell spells one, else text. Beyond every number is none."""
    with suppress(ValueError):
        if not math.isfinite(float(cell)):
            return float(cell)
    return spelled(cell)
