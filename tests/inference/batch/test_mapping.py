from __future__ import annotations

from io import BytesIO

import pytest

from inference.batch.faults import BadFile
from inference.batch.layout import Layout, layout_of
from inference.batch.opening import Opening, open_jsonl, open_table
from tests.inference.batch.tables import signature

VECTOR = signature({"X": ("FP32", (-1, 3))}, {"y": ("FP32", (-1, 1))})
SCALARS = signature({"age": ("FP32", (-1, 1)), "city": ("BYTES", (-1, 1))}, {"y": ("FP32", (-1, 1))})
FREE = signature({"X": ("FP32", (-1, -1))}, {"y": ("FP32", (-1, 1))})


def opened(data: bytes, model=VECTOR) -> Opening:
    return open_table(BytesIO(data), layout_of(model))


def columns(layout: Layout) -> list[tuple[int, ...]]:
    return [item.columns for item in layout.inputs]


def refused(data: bytes, model=VECTOR) -> BadFile:
    with pytest.raises(BadFile) as caught:
        opened(data, model)
    return caught.value


def test_open_table__names__wherever_they_stand():
    opening = opened(b"id,X_2,X_0,X_1\na,3,1,2\n")
    assert columns(opening.layout) == [(2, 3, 1)]
    assert (opening.start, opening.line, opening.layout.n_columns) == (15, 2, 4)


def test_open_table__byte_order_mark_and_semicolons__seen_through():
    opening = opened("\ufeffX_0;X_1;X_2\n1;2;3\n".encode())
    assert columns(opening.layout) == [(0, 1, 2)]
    assert (opening.layout.delimiter, opening.start) == (";", 15)


def test_open_table__scalar_inputs__each_its_column():
    assert columns(opened(b"city,age\nOslo,3\n", SCALARS).layout) == [(1,), (0,)]


def test_open_table__other_names_but_the_right_count__in_order():
    assert columns(opened(b"name,a,b,c\nx,1,2,3\ny,oops,5,6\nz,7,8,9\n").layout) == [(1, 2, 3)]


def test_open_table__free_width__as_many_as_there_are():
    assert opened(b"X_0,X_1\n1,2\n", FREE).layout.inputs[0].shape == (2,)
    assert opened(b"a,b,c\n1,2,3\n", FREE).layout.inputs[0].shape == (3,)


def test_open_table__missing_column__named_with_what_was_expected_and_found():
    error = refused(b"X_0,X_2,note\n1,3,a\n")
    assert error.code == "missing_column"
    assert error.message == (
        "The file lacks the column X_1. The model needs X_0, X_1, X_2; the first line of the file has X_0, X_2, note."
    )


def test_open_table__wrong_count_of_other_names__missing_columns():
    assert refused(b"a,b\n1,2\n").code == "missing_column"


def test_open_table__misspelt_name_among_right_ones__not_taken_in_order():
    assert refused(b"X_0,X_1,X2\n1,2,3\n").code == "missing_column"


def test_open_table__no_header__first_line_is_a_row():
    opening = opened(b"5.1,3.5,1.4\n4.9,3.0,1.4\n")
    assert (opening.start, opening.line, opening.layout.header) == (0, 1, False)


def test_open_table__first_line_could_be_either__refused():
    assert refused(b"0,1,2\n5,6,7\n").code == "ambiguous_header"
    assert refused(b"id7,1,2,3\nid8,4,5,6\n").code == "ambiguous_header"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"X_0,X_0,X_1,X_2\n1,1,2,3\n", "duplicate_column"),
        ("X_0,X_1,X_2\n".encode("utf-16"), "not_utf8"),
        (b"X_0,X_1,X_2,\xff\n1,2,3,4\n", "not_utf8"),
        (b"X_0,X_1,X_2\r1,2,3\r", "bad_line_ends"),
        (b'"X_0,X_1,X_2\n1,2,3\n', "open_quote"),
        (b"\x80\x04\x95\x10\x00", "not_utf8"),
        (b"PK\x03\x04", "missing_column"),
    ],
)
def test_open_table__no_table__says_what_is_wrong(data: bytes, code: str):
    assert refused(data).code == code


def test_open_jsonl__key_in_no_line__missing_column():
    with pytest.raises(BadFile, match="the lines have x, z") as caught:
        open_jsonl(BytesIO(b'{"x": 1}\n{"z": 1}\n'), layout_of(VECTOR))
    assert caught.value.code == "missing_column"


def test_open_jsonl__a_table__not_jsonl():
    with pytest.raises(BadFile) as caught:
        open_jsonl(BytesIO(b"X_0,X_1\n1,2\n"), layout_of(VECTOR))
    assert caught.value.code == "not_jsonl"


def test_layout_of__fixed_first_dimension_or_mixed_rows__row_by_row():
    fixed = signature({"x": ("FP32", (1, 4))}, {"y": ("FP32", (1, 4))})
    assert layout_of(fixed).row_by_row
    assert layout_of(VECTOR, rows_mix=True).row_by_row
    assert not layout_of(VECTOR).row_by_row


def test_layout__as_json_and_back__equal():
    layout = opened(b"id,X_2,X_0,X_1\na,3,1,2\n").layout
    assert Layout.from_json(layout.as_json()) == layout
