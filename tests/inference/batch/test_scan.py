from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batch.csv_rows import csv_rows
from inference.batch.faults import BadFile
from inference.batch.scan import MAX_ROW_BYTES, Cut, cuts, place_of_row


def cut(data: bytes, *, delimiter: str | None = ",", max_rows: int = 2, max_bytes: int = 1 << 20) -> list[Cut]:
    return list(cuts(BytesIO(data), start=0, line=1, delimiter=delimiter, max_rows=max_rows, max_bytes=max_bytes))


def test_cuts__plain_rows__run_of_whole_rows():
    assert cut(b"1,2\n3,4\n5,6\n") == [Cut(0, 2, 0, 8, 1), Cut(2, 1, 8, 12, 3)]


def test_cuts__no_last_newline__last_row_counts():
    assert cut(b"1\n2\n3") == [Cut(0, 2, 0, 4, 1), Cut(2, 1, 4, 5, 3)]


def test_cuts__newline_in_quotes__stays_in_its_row():
    data = b'"a\nb",1\n"c\n\nd",2\n3,4\n'
    assert cut(data, max_rows=1) == [Cut(0, 1, 0, 8, 1), Cut(1, 1, 8, 17, 3), Cut(2, 1, 17, 21, 6)]


def test_cuts__stray_quote_inside_a_cell__is_an_ordinary_character():
    assert [item.n_rows for item in cut(b'5" disk,1\n6" disk,2\n7,3\n', max_rows=1)] == [1, 1, 1]


def test_cuts__blank_lines__are_no_rows():
    assert cut(b"\n1\n\r\n\n2\n\n") == [Cut(0, 2, 0, 8, 1)]
    assert cut(b"\n{}\n\n{}\n\n", delimiter=None) == [Cut(0, 2, 0, 8, 1)]


def test_cuts__quotes_in_jsonl__do_not_join_lines():
    assert [item.n_rows for item in cut(b'{"a": "x"}\n"\n{}\n', delimiter=None, max_rows=9)] == [3]


def test_cuts__many_bytes__cut_before_the_limit():
    assert [item.n_rows for item in cut(b"1234567\n" * 5, max_rows=100, max_bytes=20)] == [2, 2, 1]


def test_cuts__row_longer_than_the_limit__stands_alone():
    assert [item.n_rows for item in cut(b"1\n" + b"2" * 50 + b"\n3\n", max_rows=100, max_bytes=20)] == [1, 1, 1]


def test_cuts__open_quote__names_the_line():
    with pytest.raises(BadFile, match="line 2") as caught:
        cut(b'1,2\n"3,4\n5,6\n')
    assert caught.value.code == "open_quote"


def test_cuts__no_newline_for_megabytes__refused_in_constant_memory():
    with pytest.raises(BadFile) as caught:
        cut(b"1" * (MAX_ROW_BYTES + (2 << 20)))
    assert caught.value.code == "row_too_long"


def test_cuts__empty__none():
    assert cut(b"") == []


def test_place_of_row__after_quoted_newline__byte_and_line():
    assert place_of_row(b'"a\nb"\nc\nd\n', 1, 10, ",") == (6, 12)


cells = st.text(alphabet='ab1,"\n\r ;é\t', max_size=6)
tables = st.lists(st.lists(cells, min_size=1, max_size=3), min_size=1, max_size=12)


@given(st.text(alphabet='a1,"\n\r ', max_size=60), st.integers(1, 4))
def test_cuts__any_text__chunks_read_alone_give_the_rows_of_the_whole(text: str, max_rows: int):
    data = text.encode()
    try:
        found = cut(data, max_rows=max_rows)
    except BadFile:
        return
    whole = [row.cells for row in csv_rows(data, ",")]
    parts = [row.cells for item in found for row in csv_rows(data[item.start : item.end], ",")]
    assert parts == whole
    assert sum(item.n_rows for item in found) == len(whole)
    assert all(data[: item.start].count(b"\n") == item.first_line - 1 for item in found)
