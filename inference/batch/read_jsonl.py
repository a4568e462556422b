"""The rows of a chunk of JSONL: one object per line, its keys the names of the inputs. Other keys are ignored."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import orjson

from inference.batch.csv_rows import BLANK
from inference.batch.faults import BadRow, BadValue, shown
from inference.batch.layout import FREE, InputLayout, Layout
from inference.batch.parsed import Batch, GoodRow, Parsed, batches_of, converted
from inference.batch.scan import has_blank_lines
from inference.batch.values import check_json
from inference.protocol.datatypes import FLOATS, INTEGERS

MAX_DEPTH = 32


def read_jsonl(data: bytes, layout: Layout, n_rows: int, first_line: int) -> Parsed:
    inputs = _fast(data, layout, n_rows)
    if inputs is None:
        return read_jsonl_exactly(data, layout, first_line)
    return Parsed(range(first_line, first_line + n_rows), [Batch(np.arange(n_rows), inputs)])


def read_jsonl_exactly(data: bytes, layout: Layout, first_line: int) -> Parsed:
    parsed, good = Parsed([]), []
    lines: list[int] = []
    for line_number, line in enumerate(BytesIO(data), first_line):
        if line in BLANK:
            continue
        row = len(lines)
        lines.append(line_number)
        try:
            pairs = [_value(parse_object(line), item) for item in layout.inputs]
        except BadValue as error:
            parsed.bad.append(BadRow(row, line_number, error.code, error.message))
        else:
            good.append(GoodRow(row, [flat for flat, _ in pairs], tuple(shape for _, shape in pairs)))
    parsed.lines, parsed.batches = lines, batches_of(layout.inputs, good)
    return parsed


def parse_object(line: bytes) -> dict[str, Any]:
    """Strict JSON: no NaN, no key twice. Raises BadValue."""
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise BadValue("not_utf8", "The line is not valid UTF-8.") from None
    except (ValueError, RecursionError):
        raise BadValue("not_json", "The line is not valid JSON.") from None
    if type(value) is not dict:
        raise BadValue("not_an_object", "The line is not a JSON object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadValue("duplicate_key", "The line holds a key twice.")
    return found


def _refuse(literal: str) -> NoReturn:
    raise BadValue("not_json", f"The line holds {literal}, which is not JSON.")


def _value(row: dict[str, Any], item: InputLayout) -> tuple[list[Any], tuple[int, ...]]:
    """The input's flat values and their shape."""
    given = _given(row, item)
    if type(given) is dict and item.datatype == "UINT8" and len(item.shape) == 3:
        return _pixels(given, item)
    try:
        flat, shape = _flatten(given)
        values = [check_json(value, item.datatype) for value in flat]
    except BadValue as error:
        raise BadValue(error.code, f"{shown(item.name)} {error.message}.") from None
    return values, _fitted(shape, len(flat), item)


def _given(row: dict[str, Any], item: InputLayout) -> Any:
    """What stands under the input's name, else under the names of its features."""
    if item.name in row:
        return row[item.name]
    missing = next((name for name in item.features or (item.name,) if name not in row), None)
    if missing is not None:
        raise BadValue("missing_input", f"The key {shown(missing)} is missing.")
    return [row[name] for name in item.features]


def _pixels(given: dict[str, Any], item: InputLayout) -> tuple[list[Any], tuple[int, ...]]:
    """A picture as `{"b64": "<base64 of its bytes>"}`, [height, width, channels]."""
    try:
        raw = base64.b64decode(given["b64"] if len(given) == 1 else "", validate=True)
    except (KeyError, TypeError, ValueError):
        raise BadValue("wrong_value", f'{shown(item.name)} is no {{"b64": "<base64 of pixels>"}}.') from None
    height, width, _channels = item.shape
    n_channels = max(1, len(raw) // max(1, height * width))
    if len(raw) != height * width * n_channels:
        raise BadValue(
            "wrong_shape", f"{shown(item.name)} has {len(raw)} bytes: a picture is {width} x {height} pixels."
        )
    return list(raw), _fitted((height, width, n_channels), len(raw), item)


def _flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    level: list[Any] = [value]
    shape: list[int] = []
    while any(type(part) is list for part in level):
        sizes = {len(part) if type(part) is list else -1 for part in level}
        if len(sizes) > 1 or len(shape) == MAX_DEPTH:
            raise BadValue("ragged", "holds lists of different lengths")
        shape.append(sizes.pop())
        level = list(chain.from_iterable(level))
    return level, tuple(shape)


def _fitted(shape: tuple[int, ...], size: int, item: InputLayout) -> tuple[int, ...]:
    """The shape itself, or the row's own shape for a flat list or a bare number of the right size. Raises BadValue."""
    same_rank = len(shape) == len(item.shape)
    if same_rank and all(wanted in (FREE, have) for have, wanted in zip(shape, item.shape, strict=True)):
        return shape
    if len(shape) <= 1 and size == item.width:
        return item.shape
    wanted = ["any" if part == FREE else part for part in item.shape]
    raise BadValue("wrong_shape", f"{shown(item.name)} has the shape {list(shape)} where a row takes {wanted}.")


def _fast(data: bytes, layout: Layout, n_rows: int) -> dict[str, np.ndarray] | None:
    """All inputs, or None where any part of the data is not plainly what it should be."""
    if has_blank_lines(data) or b"true" in data or b"false" in data:
        return None
    lines = data.removesuffix(b"\n").split(b"\n")
    keys = [orjson.dumps(item.name) for item in layout.inputs]
    if len(lines) != n_rows or any(data.count(key) != n_rows for key in keys):
        return None
    try:
        rows = list(map(orjson.loads, lines))
        return _columns(rows, layout)
    except (ValueError, KeyError, TypeError):
        return None


def _columns(rows: list[dict[str, Any]], layout: Layout) -> dict[str, np.ndarray] | None:
    inputs = {}
    for item in layout.inputs:
        # numpy finds the type itself: text, null and numbers beyond 64 bits show in its kind.
        values = np.array([row[item.name] for row in rows])
        kinds = "fiu" if item.datatype in FLOATS else "iu"
        if item.datatype not in FLOATS | INTEGERS or values.dtype.kind not in kinds:
            return None
        array = converted(values, item.datatype)
        shape = _shape_of_all(values, item)
        if array is None or shape is None:
            return None
        inputs[item.name] = array.reshape(len(rows), *shape)
    return inputs


def _shape_of_all(values: np.ndarray, item: InputLayout) -> tuple[int, ...] | None:
    try:
        return _fitted(values.shape[1:], values[0].size, item)
    except BadValue:
        return None
