from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from inference.batch.faults import BadRow
from inference.batch.layout import layout_of
from inference.batch.read_csv import read_csv
from inference.batch.runner import Runner, Scored
from inference.batch.suspects import GIVE_UP_FROM, is_careful, is_poison
from inference.batch.writers import Writer
from inference.runtime.session import ModelSession, load_session
from registry.artifacts.signature import Signature
from tests import graphs
from tests.inference.batch.tables import layout, signature


class Recorder:
    """A real session that notes how many rows each run had."""

    def __init__(self, session: ModelSession) -> None:
        self.session, self.sizes = session, []

    def run(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        self.sizes.append(len(next(iter(inputs.values()))))
        return self.session.run(inputs, outputs)


def session_of(tmp_path, model: bytes, contract: Signature) -> Recorder:
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    return Recorder(load_session(path, contract))


@pytest.fixture
def gather(tmp_path) -> Recorder:
    """Refuses every index that is not from -10 to 9."""
    contract = signature({"index": ("INT64", (-1,))}, {"y": ("FP32", (-1, 2))})
    return session_of(tmp_path, graphs.gather(), contract)


def score(session: Recorder, rows: Sequence[object], **kwargs) -> Scored:
    contract = signature({"index": ("INT64", (-1,))}, {"y": ("FP32", (-1, 2))})
    bare = layout_of(contract)
    item = type(bare.inputs[0])("index", "INT64", (), True, (0,))
    shape = type(bare)((item,), row_by_row=False, n_columns=1)
    runner = Runner(session, shape, Writer.of("csv", contract, row_by_row=False), kwargs.pop("block_rows", 4), **kwargs)
    data = "".join(f"{row}\n" for row in rows).encode()
    return runner.score(read_csv(data, shape, len(rows), 2))


def test_score__good_rows__lines_in_order(gather):
    scored = score(gather, range(6))
    assert scored.output() == b"0.0,1.0\n2.0,3.0\n4.0,5.0\n6.0,7.0\n8.0,9.0\n10.0,11.0\n"
    assert gather.sizes == [4, 2]


def test_score__row_that_the_model_refuses__found_by_halving(gather):
    scored = score(gather, [1, 2, 99, 3])
    assert [row[:3] for row in scored.bad] == [(2, 4, "model_refused")]
    assert scored.lines[0] == b"2.0,3.0,"
    assert scored.lines[2].startswith(b",,")
    assert scored.lines[3] == b"6.0,7.0,"
    assert gather.sizes == [4, 2, 2, 1, 1]


def test_score__bad_cells_and_refused_rows__both_listed_in_order(gather):
    assert [row[:3] for row in score(gather, ["x", 1, 99]).bad] == [(0, 2, "not_a_number"), (2, 4, "model_refused")]


def test_score__every_row_bad__model_is_not_asked(gather):
    assert len(score(gather, ["x", "y"]).bad) == 2
    assert gather.sizes == []


def test_score__time_is_up__at_least_one_block_and_a_clean_cut(gather):
    scored = score(gather, range(10), end_at=0.0)
    assert (scored.n_rows, len(scored.lines)) == (4, 4)


def test_score__enter__told_before_each_run(gather):
    seen = []
    score(gather, [1, 2, 99], enter=lambda begin, end: seen.append((begin, end)), block_rows=2)
    assert seen == [(0, 2), (2, 3)]


def test_score__block_in_which_workers_died__rows_run_alone_and_poison_is_left_out(gather):
    deaths = [[0, 4], [0, 4], [2, 3], [2, 3]]
    scored = score(gather, range(6), deaths=deaths)
    assert gather.sizes == [1, 1, 1, 2]
    assert [row[:3] for row in scored.bad] == [(2, 4, "crashed")]
    assert len(scored.lines) == 6


def test_suspects__one_death__changes_nothing():
    assert not is_careful([[0, 8]], 0, 4)
    assert is_careful([[0, 8], [2, 3]], 0, 4)
    assert not is_careful([[0, 8], [2, 3]], 4, 8)


def test_suspects__rows_that_were_only_near__are_innocent():
    deaths = [[0, 8], [0, 8], [5, 6], [5, 6]]
    assert [row for row in range(8) if is_poison(deaths, row)] == [5]


def test_suspects__deaths_without_end__every_row_that_was_in_hand():
    assert [row for row in range(6) if is_poison([[1, 3]] * GIVE_UP_FROM, row)] == [1, 2]


def test_score__fixed_batch_model__row_by_row(tmp_path):
    contract = signature({"x": ("FP32", (1, 4))}, {"y": ("FP32", (1, 4))})
    session = session_of(tmp_path, graphs.add_constant(1.0, (1, 4)), contract)
    bare = layout_of(contract)
    item = type(bare.inputs[0])("x", "FP32", (1, 4), False, (0, 1, 2, 3))
    shape = type(bare)((item,), row_by_row=True, n_columns=4)
    runner = Runner(session, shape, Writer.of("csv", contract, row_by_row=True), 4)
    assert runner.score(read_csv(b"1,2,3,4\n5,6,7,8\n", shape, 2, 2)).output() == b"2.0,3.0,4.0,5.0\n6.0,7.0,8.0,9.0\n"


def test_score__answer_of_another_shape_than_promised__each_row_says_so():
    class Wrong:
        def run(self, inputs, outputs=None):
            return [np.zeros((7, 7), np.float32)]

    contract = signature({"X": ("FP32", (-1, 1))}, {"y": ("FP32", (-1, 1))})
    runner = Runner(Wrong(), layout(width=1), Writer.of("csv", contract, row_by_row=False), 4)
    scored = runner.score(read_csv(b"1\n2\n", layout(width=1), 2, 2))
    assert [(row.row, row.code) for row in scored.bad] == [(0, "wrong_output"), (1, "wrong_output")]


def test_writer__csv_columns__scalar_vector_and_free_width():
    outputs = {"label": ("INT64", (-1,)), "p": ("FP32", (-1, 2)), "z": ("FP32", (-1, -1))}
    contract = signature({"X": ("FP32", (-1, 1))}, outputs)
    writer = Writer.of("csv", contract, row_by_row=False)
    assert writer.header(with_error=True) == b"label,p_0,p_1,z,error\n"
    answers = [np.array([1, 2]), np.array([[0.1, np.nan], [np.inf, 1]], np.float32), np.array([[1], [2]], np.float32)]
    assert writer.lines(answers, 2) == [b"1,0.1,nan,[1.0]", b"2,inf,1.0,[2.0]"]


def test_writer__jsonl__keys_are_output_names_and_nan_is_null():
    contract = signature({"X": ("FP32", (-1, 1))}, {"label": ("INT64", (-1,)), "p": ("FP32", (-1, 2))})
    writer = Writer.of("jsonl", contract, row_by_row=False)
    outputs = [np.array([1, 2]), np.array([[0.1, np.nan], [0.5, 1]], np.float32)]
    assert writer.lines(outputs, 2) == [b'{"label":1,"p":[0.1,null]}', b'{"label":2,"p":[0.5,1.0]}']
    assert writer.bad_line(BadRow(0, 1, "empty", "Why.")) == b'{"error":"Why."}'
    assert writer.header(with_error=True) == b""


def test_writer__text_in_csv__quoted_and_no_formula():
    contract = signature({"X": ("FP32", (-1, 1))}, {"name": ("BYTES", (-1,))})
    writer = Writer.of("csv", contract, row_by_row=False)
    texts = np.array(["a", "=1+1", 'b,"c"\n', "", "-x"], object)
    lines = writer.lines([texts], 5)
    assert lines == [b"a", b"'=1+1", b'"b,""c""\n"', b'""', b"'-x"]
    assert writer.with_error_column(b'"b\nc"\nd\n""\n') == b'"b\nc",\nd,\n,\n'


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_writer__floats__read_back_the_same(dtype):
    contract = signature({"X": ("FP32", (-1, 1))}, {"y": ("FP32", (-1, 1))})
    values = np.array([[0.1], [1 / 3], [1e-5], [60000.0], [-0.0]], dtype)
    lines = Writer.of("csv", contract, row_by_row=False).lines([values], 5)
    assert np.array([float(line) for line in lines], dtype).tolist() == values[:, 0].tolist()
