"""Outputs to lines: one per row, in the order of the input.

CSV: `y` where a row's output is one number, `y_0 ... y_k` where it is a vector of known length, and one cell of JSON
where its length may differ. A row that failed has empty cells; a last column `error` stands there when any row failed.
JSONL: the keys are the outputs' names, the values have the shape of one row's output; NaN and infinities become `null`;
a row that failed is `{"error": reason}`. Text in CSV that a spreadsheet would take for a formula gets a leading `'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from inference.batch.csv_rows import csv_rows
from inference.batch.faults import BadRow
from inference.batch.layout import FREE, InputLayout, column_names, output_shape
from registry.artifacts.signature import Signature

FORMULA = ("=", "+", "-", "@", "\t", "\r")
ERROR = "error"


class WrongOutput(Exception):
    """The model's answer does not have one part per row, or a part of another shape than its signature says."""


@dataclass(frozen=True, slots=True)
class Writer:
    """`outputs` describe one row's part of each output."""

    csv: bool
    outputs: tuple[InputLayout, ...]

    @classmethod
    def of(cls, format_: str, signature: Signature, *, row_by_row: bool) -> Writer:
        outputs = tuple(
            InputLayout(spec.name, spec.datatype, output_shape(spec, row_by_row=row_by_row), stacked=True)
            for spec in signature.outputs
        )
        return cls(format_ == "csv", outputs)

    @property
    def columns(self) -> list[str]:
        return [name for item in self.outputs for name in column_names(item.name, item.width)]

    def header(self, *, with_error: bool) -> bytes:
        if not self.csv:
            return b""
        return b",".join(_csv_text(name) for name in [*self.columns, *([ERROR] if with_error else [])]) + b"\n"

    def lines(self, outputs: Sequence[np.ndarray], n_rows: int) -> list[bytes]:
        """One line per row without its line end. Raises WrongOutput."""
        parts = [_by_row(array, item, n_rows) for array, item in zip(outputs, self.outputs, strict=True)]
        if not self.csv:
            return _objects([_json_values(part) for part in parts], [item.name for item in self.outputs])
        cells = [_csv_cells(part, item) for part, item in zip(parts, self.outputs, strict=True)]
        if len(cells) > 1:
            return [b",".join(row) for row in zip(*cells, strict=True)]
        # An empty line would be no row to whoever reads the file.
        return [cell or b'""' for cell in cells[0]]

    def bad_line(self, bad: BadRow) -> bytes:
        if not self.csv:
            return orjson.dumps({ERROR: bad.reason})
        return b"," * len(self.columns) + _csv_text(bad.reason)

    def with_error_column(self, part: bytes) -> bytes:
        """A part without failed rows, as it stands among parts that have some."""
        if not self.csv:
            return part
        if b'"' not in part:
            return part.replace(b"\n", b",\n")
        rows = [row.cells for row in csv_rows(part, ",")]
        return b"".join(b",".join(_quoted(cell) for cell in [*(cells or []), ""]) + b"\n" for cells in rows)


def _by_row(array: np.ndarray, item: InputLayout, n_rows: int) -> np.ndarray:
    """The array with its rows along the first axis."""
    if array.ndim == len(item.shape) + 1 and len(array) == n_rows:
        by_row = array
    elif n_rows == 1:
        by_row = array[np.newaxis]
    else:
        raise WrongOutput
    shape = by_row.shape[1:]
    same_rank = len(shape) == len(item.shape)
    if same_rank and all(want in (FREE, have) for have, want in zip(shape, item.shape, strict=True)):
        return by_row
    raise WrongOutput


def _csv_cells(part: np.ndarray, item: InputLayout) -> list[bytes]:
    """For each row its cells, joined."""
    if item.width is None:
        return [_quoted(value.decode()) for value in _json_values(part)]
    flat = part.reshape(len(part), item.width)
    if part.dtype.kind == "O":
        return [b",".join(_csv_text(str(cell)) for cell in row) for row in flat]
    rows = _numbers(flat)
    if part.dtype.kind == "f":
        for index in np.flatnonzero(~np.isfinite(flat).all(axis=1)):
            rows[index] = b",".join(_number(value) for value in flat[index])
    return rows


def _numbers(flat: np.ndarray) -> list[bytes]:
    """Each row's numbers, joined by commas, shortest form that reads back the same."""
    if not flat.size:
        return [b""] * len(flat)
    return orjson.dumps(np.ascontiguousarray(flat), option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")


def _number(value: np.floating) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) if np.isfinite(value) else str(value).encode()


def _json_values(part: np.ndarray) -> list[bytes]:
    if part.dtype.kind == "O":
        return [orjson.dumps(row) for row in part.tolist()]
    if part.ndim == 1:
        return _numbers(part.reshape(-1, 1))
    if part.ndim == 2:
        return [b"[" + row + b"]" for row in _numbers(part)]
    return [orjson.dumps(np.ascontiguousarray(row), option=orjson.OPT_SERIALIZE_NUMPY) for row in part]


def _objects(values: list[list[bytes]], names: list[str]) -> list[bytes]:
    keys = [orjson.dumps(name) + b":" for name in names]
    if len(keys) == 1:
        return [b"{" + keys[0] + value + b"}" for value in values[0]]
    return [
        b"{" + b",".join(key + value for key, value in zip(keys, row, strict=True)) + b"}"
        for row in zip(*values, strict=True)
    ]


def _csv_text(text: str) -> bytes:
    return _quoted("'" + text if text.startswith(FORMULA) else text)


def _quoted(text: str) -> bytes:
    """As RFC 4180 has it. The csv module decides by its line terminator whether a newline needs quotes."""
    if any(character in text for character in ',"\n\r'):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()
