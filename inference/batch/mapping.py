"""Which columns of a table feed which input: by name, or in order where no name fits but the count does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.batch.faults import BadFile, BadValue
from inference.batch.layout import InputLayout, Layout, column_names, listed, settle_shape
from inference.batch.values import parse_text


def map_table(layout: Layout, first: Sequence[str], sample: Sequence[Sequence[str]], delimiter: str) -> Layout:
    """The layout for a table whose first row is `first`; `sample` holds rows after it. Raises BadFile."""
    names = [cell.strip() for cell in first]
    found = [_by_name(item, names) for item in layout.inputs]
    header = True
    if not all(found):
        if any(found) or _some_names_fit(layout, names):
            raise _missing(layout, names)
        found, header = _in_order(layout, names, sample)
    inputs = tuple(
        replace(item, columns=tuple(columns), shape=settle_shape(item, len(columns)))
        for item, columns in zip(layout.inputs, found, strict=True)
    )
    return replace(layout, inputs=inputs, delimiter=delimiter, n_columns=len(first), header=header)


def sniff_delimiter(first_line: str) -> str:
    """Comma unless the first line holds more semicolons or tabs outside quotes."""
    bare = "".join(first_line.split('"')[::2])
    return max(",;\t", key=bare.count)


def _by_name(item: InputLayout, names: Sequence[str]) -> list[int]:
    """The positions of the input's columns; empty if one is missing."""
    if item.width in (1, None) and item.name in names:
        return [_position(item.name, names)]
    if item.width is None:
        return _run_of(item.name, names)
    known = set(names)
    for wanted in ([f"{item.name}_{index}" for index in range(item.width)], item.features):
        if wanted and all(name in known for name in wanted):
            return [_position(name, names) for name in wanted]
    return []


def _run_of(name: str, names: Sequence[str]) -> list[int]:
    columns: list[int] = []
    while f"{name}_{len(columns)}" in names:
        columns.append(_position(f"{name}_{len(columns)}", names))
    return columns


def _position(name: str, names: Sequence[str]) -> int:
    if names.count(name) > 1:
        raise BadFile("duplicate_column", f"The column {listed([name])} stands more than once in the first line.")
    return names.index(name)


def _expected(layout: Layout) -> list[str]:
    return [name for item in layout.inputs for name in item.features or column_names(item.name, item.width)]


def _some_names_fit(layout: Layout, names: Sequence[str]) -> bool:
    expected = set(_expected(layout)) | {f"{item.name}_0" for item in layout.inputs}
    return not expected.isdisjoint(names)


def _in_order(layout: Layout, names: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[list[list[int]], bool]:
    """The numeric columns from left to right, and whether the first row is a header."""
    numeric = [index for index in range(len(names)) if _mostly_numbers(index, sample or [names])]
    widths = [item.width for item in layout.inputs]
    if widths == [None]:
        widths = [len(numeric)]
    takes_text = any(item.datatype == "BYTES" for item in layout.inputs)
    if takes_text or not numeric or sum(width or 0 for width in widths) != len(numeric):
        raise _missing(layout, names)
    header = _is_header(names)
    columns, taken = [], 0
    for width in widths:
        columns.append(numeric[taken : taken + (width or 0)])
        taken += width or 0
    return columns, header


def _is_header(names: Sequence[str]) -> bool:
    """False for a line of numbers. What could be either is refused, as a guess could lose a row."""
    numbers = sum(_is_number(name) for name in names)
    counted = list(names) == [str(index) for index in range(len(names))]
    if numbers == 0:
        return True
    if numbers == len(names) and not (counted and len(names) > 1):
        return False
    raise BadFile(
        "ambiguous_header",
        "The first line could be names or numbers: write a first line with the names of the columns.",
    )


def _mostly_numbers(index: int, sample: Sequence[Sequence[str]]) -> bool:
    cells = [row[index] for row in sample if index < len(row) and row[index].strip()]
    return bool(cells) and 2 * sum(_is_number(cell) for cell in cells) > len(cells)


def _is_number(text: str) -> bool:
    try:
        parse_text(text, "FP64")
    except BadValue:
        return False
    return True


def _missing(layout: Layout, names: Sequence[str]) -> BadFile:
    expected = _expected(layout)
    absent = [name for name in expected if name not in names] or expected
    word = "column" if len(absent) == 1 else "columns"
    return BadFile(
        "missing_column",
        f"The file lacks the {word} {listed(absent)}. "
        f"The model needs {listed(expected)}; the first line of the file has {listed(names)}.",
    )
