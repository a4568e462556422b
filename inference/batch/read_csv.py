"""The rows of a chunk of CSV: plain numbers at once, anything else cell by cell."""

from __future__ import annotations

import numpy as np

from inference.batch.csv_rows import csv_rows
from inference.batch.faults import BadRow, BadValue
from inference.batch.layout import Layout
from inference.batch.parsed import Batch, GoodRow, Parsed, batches_of
from inference.batch.plain_csv import plain_numbers
from inference.batch.values import parse_text


def read_csv(data: bytes, layout: Layout, n_rows: int, first_line: int) -> Parsed:
    inputs = plain_numbers(data, layout, n_rows)
    if inputs is None:
        return read_csv_exactly(data, layout, first_line)
    return Parsed(range(first_line, first_line + n_rows), [Batch(np.arange(n_rows), inputs)])


def read_csv_exactly(data: bytes, layout: Layout, first_line: int) -> Parsed:
    parsed, good = Parsed([]), []
    lines: list[int] = []
    for number, row in enumerate(csv_rows(data, layout.delimiter)):
        lines.append(first_line + row.line)
        try:
            if row.cells is None:
                raise BadValue("bad_csv", f"The row {row.problem}.")
            values = _values(row.cells, layout)
        except BadValue as error:
            parsed.bad.append(BadRow(number, lines[-1], error.code, error.message))
        else:
            good.append(GoodRow(number, values, tuple(item.shape for item in layout.inputs)))
    parsed.lines, parsed.batches = lines, batches_of(layout.inputs, good)
    return parsed


def _values(cells: list[str], layout: Layout) -> list[list[object]]:
    if len(cells) != layout.n_columns:
        raise BadValue("wrong_count", f"The row has {len(cells)} cells where the first line has {layout.n_columns}.")
    return [[_value(cells[place], item.datatype, place) for place in item.columns] for item in layout.inputs]


def _value(cell: str, datatype: str, place: int) -> object:
    try:
        return parse_text(cell, datatype)
    except BadValue as error:
        raise BadValue(error.code, f"Column {place + 1} {error.message}.") from None
