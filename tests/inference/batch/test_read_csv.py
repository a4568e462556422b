from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batch.read_csv import read_csv, read_csv_exactly
from tests.inference.batch.tables import layout


def bad(data: bytes, **kwargs) -> list[tuple[int, int, str]]:
    n_rows = len(data.strip(b"\n").split(b"\n"))
    return [row[:3] for row in read_csv(data, layout(**kwargs), n_rows, 2).bad]


def test_read_csv__numbers__one_batch_of_the_datatype():
    parsed = read_csv(b"1,2.5\n-3e2, 4 \n", layout(width=2), 2, 2)
    assert parsed.bad == []
    assert parsed.batches[0].inputs["X"].dtype == np.float32
    assert parsed.batches[0].inputs["X"].tolist() == [[1.0, 2.5], [-300.0, 4.0]]
    assert list(parsed.lines) == [2, 3]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"1,abc", "not_a_number"),
        (b"1,", "empty"),
        (b"1,  ", "empty"),
        (b"1", "wrong_count"),
        (b"1,2,3", "wrong_count"),
        (b"1,1_000", "not_a_number"),
        (b"1,0x10", "not_a_number"),
        (b"1,1e39", "out_of_range"),
        (b"1,1e999", "out_of_range"),
        (b"1,\xd9\xa1", "not_a_number"),
        (b"1,\xff", "not_a_number"),
        (b"1,2\x003", "not_a_number"),
        (b'1,"2', "wrong_count"),
        (b"1\r2,3", "bad_csv"),
        (b"1\r,2", "bad_csv"),
        (b"=1+1,2", "not_a_number"),
        (b"true,2", "not_a_number"),
    ],
)
def test_read_csv__one_bad_row__named_and_the_others_read(row: bytes, code: str):
    data = b"1,2\n" + row + b"\n"
    parsed = read_csv(data, layout(width=2), 2, 2)
    if code == "wrong_count" and b'"' in row:
        assert not list(read_csv_exactly(data, layout(width=2), 2).batches[1:])
        return
    assert [found[:3] for found in parsed.bad] == [(1, 3, code)]
    assert parsed.batches[0].rows.tolist() == [0]


def test_read_csv__bad_row__reason_names_the_column():
    assert read_csv(b"1,abc\n", layout(width=2), 1, 2).bad[0].reason == "Column 2 is 'abc', not a number."


def test_read_csv__extra_delimiters_that_cancel_out__both_rows_are_bad():
    assert bad(b"1,2,3,4\n1,2\n", width=2, n_columns=3) == [(0, 2, "wrong_count"), (1, 3, "wrong_count")]


def test_read_csv__nan_and_inf_written_out__taken_for_floats():
    values = read_csv(b"nan,-inf\n", layout(width=2), 1, 2).batches[0].inputs["X"]
    assert np.isnan(values[0, 0])
    assert values[0, 1] == -np.inf


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_read_csv__minus_zero_and_odd_spellings__to_the_bit(delimiter: str):
    data = b"-0|-0.0\n+1|.5\n1.|1e-3\n".replace(b"|", delimiter.encode())
    values = read_csv(data, layout(width=2, delimiter=delimiter), 3, 2).batches[0].inputs["X"]
    assert values.tobytes() == np.array([[-0.0, -0.0], [1, 0.5], [1, 1e-3]], np.float32).tobytes()


@given(st.lists(st.floats(width=64, allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_read_csv__any_doubles__to_the_bit(values: list[float]):
    data = "".join(f"{value!r},7\n" for value in values).encode()
    read = read_csv(data, layout("FP64", 1, n_columns=2), len(values), 2).batches[0].inputs["X"]
    assert read.tobytes() == np.array(values).tobytes()


def test_read_csv__big_integers__exact():
    values = read_csv(b"9007199254740993\n-9223372036854775808\n", layout("INT64", 1), 2, 2).batches[0].inputs["X"]
    assert values.tolist() == [[9007199254740993], [-9223372036854775808]]


@pytest.mark.parametrize(
    ("datatype", "cell", "code"),
    [
        ("INT8", b"128", "out_of_range"),
        ("UINT8", b"-1", "out_of_range"),
        ("INT64", b"9223372036854775808", "out_of_range"),
        ("INT32", b"1.5", "not_an_integer"),
        ("INT32", b"inf", "not_an_integer"),
        ("BOOL", b"2", "not_a_boolean"),
        ("FP16", b"70000", "out_of_range"),
    ],
)
def test_read_csv__value_that_the_datatype_cannot_hold__bad_row(datatype: str, cell: bytes, code: str):
    assert bad(cell + b"\n", datatype=datatype, width=1) == [(0, 2, code)]


def test_read_csv__whole_float_in_an_integer_column__taken():
    assert read_csv(b"3.0\n4\n", layout("INT32", 1), 2, 2).batches[0].inputs["X"].tolist() == [[3], [4]]


def test_read_csv__booleans__words_and_digits():
    assert read_csv(b"TRUE,0\nfalse,1\n", layout("BOOL", 2), 2, 2).batches[0].inputs["X"].tolist() == [
        [True, False],
        [False, True],
    ]


def test_read_csv__text_column__as_it_stands():
    parsed = read_csv('" a,b\nc"\nü\n'.encode(), layout("BYTES", 1), 2, 2)
    assert parsed.batches[0].inputs["X"].tolist() == [[" a,b\nc"], ["ü"]]
    assert list(parsed.lines) == [2, 4]


def test_read_csv__text_that_is_not_utf8_or_holds_nul__bad_rows():
    assert bad(b"\xff\na\0b\n", datatype="BYTES", width=1) == [(0, 2, "not_utf8"), (1, 3, "not_a_text")]


def test_read_csv__blank_lines_and_crlf__lines_stay_true():
    parsed = read_csv(b"1,2\r\n\r\n3,4\r\n", layout(width=2), 2, 5)
    assert list(parsed.lines) == [5, 7]
    assert parsed.batches[0].inputs["X"].tolist() == [[1, 2], [3, 4]]


@given(st.lists(st.text(alphabet="0123456789.eE+-_naifx \t,;\n\r", max_size=8), min_size=1, max_size=6))
def test_read_csv__anything__fast_way_gives_what_the_exact_way_gives(lines: list[str]):
    data = "\n".join(lines).encode()
    for datatype in ("FP32", "INT64"):
        exact = read_csv_exactly(data, layout(datatype, 1), 1)
        fast = read_csv(data, layout(datatype, 1), len(exact.lines), 1)
        assert [row[:3] for row in fast.bad] == [row[:3] for row in exact.bad]
        assert [batch.rows.tolist() for batch in fast.batches] == [batch.rows.tolist() for batch in exact.batches]
        for left, right in zip(fast.batches, exact.batches, strict=True):
            assert left.inputs["X"].tobytes() == right.inputs["X"].tobytes()
