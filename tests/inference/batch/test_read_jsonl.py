from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batch.layout import layout_of
from inference.batch.read_jsonl import read_jsonl, read_jsonl_exactly
from tests.inference.batch.tables import layout, signature


def test_read_jsonl__lists__one_batch():
    parsed = read_jsonl(b'{"X": [1, 2.5]}\n{"X": [3, 4], "id": 7}\n', layout(width=2), 2, 1)
    assert parsed.bad == []
    assert parsed.batches[0].inputs["X"].tolist() == [[1.0, 2.5], [3.0, 4.0]]


def test_read_jsonl__bare_number_where_a_row_holds_one__taken():
    assert read_jsonl(b'{"X": 5}\n{"X": [6]}\n', layout(width=1), 2, 1).batches[0].inputs["X"].tolist() == [[5], [6]]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"X": [1, 2', "not_json"),
        (b'{"X": [1, NaN]}', "not_json"),
        (b'{"X": [1, 1e999]}', "out_of_range"),
        (b'{"X": [1, 1e39]}', "out_of_range"),
        (b'{"X": [1, "2"]}', "not_a_number"),
        (b'{"X": [1, true]}', "not_a_number"),
        (b'{"X": [1, null]}', "empty"),
        (b'{"X": [1, 2, 3]}', "wrong_shape"),
        (b'{"X": [[1], [2, 3]]}', "ragged"),
        (b'{"X": [[1, 2]]}', "wrong_shape"),
        (b'{"X": {}}', "not_a_number"),
        (b'{"Y": [1, 2]}', "missing_input"),
        (b'{"X": [1, 2], "X": [3, 4]}', "duplicate_key"),
        (b'{"X": [1, 2]},{"X": [3, 4]}', "not_json"),
        (b"[1, 2]", "not_an_object"),
        (b'{"X": [1, 2], "t": "\xff"}', "not_utf8"),
        (b"   ", "not_json"),
        (b"[" * 100_000, "not_json"),
    ],
)
def test_read_jsonl__one_bad_line__named_and_the_others_read(line: bytes, code: str):
    parsed = read_jsonl(b'{"X": [1, 2]}\n' + line + b'\n{"X": [5, 6]}\n', layout(width=2), 3, 1)
    assert [row[:3] for row in parsed.bad] == [(1, 2, code)]
    assert np.concatenate([batch.rows for batch in parsed.batches]).tolist() == [0, 2]


def test_read_jsonl__rows_of_different_shapes__a_batch_for_each_run():
    bare = layout_of(signature({"X": ("INT64", (-1, -1))}, {"Y": ("FP32", (-1, 1))}))
    parsed = read_jsonl(b'{"X": [1]}\n{"X": [2]}\n{"X": [3, 4]}\n', bare, 3, 1)
    assert [batch.rows.tolist() for batch in parsed.batches] == [[0, 1], [2]]
    assert parsed.batches[1].inputs["X"].tolist() == [[3, 4]]


def test_read_jsonl__two_inputs_and_text__by_name():
    bare = layout_of(signature({"a": ("BYTES", (-1,)), "b": ("BOOL", (-1, 1))}, {"y": ("FP32", (-1,))}))
    parsed = read_jsonl(b'{"b": true, "a": "x\\ny"}\n', bare, 1, 1)
    assert parsed.batches[0].inputs["a"].tolist() == ["x\ny"]
    assert parsed.batches[0].inputs["b"].tolist() == [[True]]


def test_read_jsonl__big_integers__exact():
    parsed = read_jsonl(b'{"X": 9007199254740993}\n', layout("INT64", 1), 1, 1)
    assert parsed.batches[0].inputs["X"].tolist() == [[9007199254740993]]


scalars = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=2))
values = st.one_of(scalars, st.lists(scalars, max_size=3))


@given(st.lists(values, min_size=1, max_size=5), st.sampled_from(["FP32", "FP64", "INT64", "UINT8"]))
def test_read_jsonl__anything__fast_way_gives_what_the_exact_way_gives(rows: list[object], datatype: str):
    data = "".join(json.dumps({"X": row}) + "\n" for row in rows).encode()
    fast, exact = read_jsonl(data, layout(datatype, 2), len(rows), 1), read_jsonl_exactly(data, layout(datatype, 2), 1)
    assert fast.bad == exact.bad
    for left, right in zip(fast.batches, exact.batches, strict=True):
        np.testing.assert_array_equal(left.inputs["X"], right.inputs["X"])
