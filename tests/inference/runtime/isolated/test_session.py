from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.runtime.isolated.session import IsolatedSession
from inference.runtime.session import load_session
from portal.lib.errors import DeadlineExceeded, Unavailable, Unprocessable
from tests import graphs
from tests.inference.runtime.isolated.made import (
    CLASSIFIER,
    DIVISION,
    LIMIT,
    LOOP,
    PLUS,
    SHA256,
    Make,
    one_to_one,
    quotient_of,
    rows,
    signature,
    soon,
)

NUMBERS = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
}
NUMPY = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}


def test_run__outputs__as_in_a_session_of_this_process(make: Make, tmp_path: Path) -> None:
    session = make(graphs.classifier(), CLASSIFIER)
    here = load_session(tmp_path / "0.onnx", CLASSIFIER)
    feed = {"X": np.random.default_rng(5).normal(size=(33, 4)).astype(np.float32)}
    for names in (None, ("label",), ("label", "probabilities")):
        for ours, theirs in zip(session.run(feed, names), here.run(feed, names), strict=True):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def test_session__made__knows_its_process(make: Make) -> None:
    session = make(graphs.add_constant())
    assert session.signature is PLUS
    assert (session.restarts, session.pid is not None) == (0, True)
    assert session.memory_bytes > 10_000_000
    session.close()
    assert (session.pid, session.memory_bytes) == (None, 12_345)


@pytest.mark.parametrize("datatype", NUMBERS)
def test_run__each_datatype__comes_back_as_it_went(make: Make, datatype: str) -> None:
    session = make(graphs.identity(NUMBERS[datatype], ("N", 3)), one_to_one(datatype, (-1, 3)))
    sent = np.array([[0, 1, 1], [1, 0, 1]]).astype(NUMPY.get(datatype, datatype.lower()))
    (y,) = session.run({"x": sent})
    assert (y.dtype, y.tolist()) == (sent.dtype, sent.tolist())


def test_run__bfloat16__comes_back_as_it_went(make: Make) -> None:
    session = make(graphs.identity(TensorProto.BFLOAT16, ("N",)), one_to_one("BF16", (-1,)))
    sent = np.array([1.5, -2.0, 3e38], ml_dtypes.bfloat16)
    (y,) = session.run({"x": sent})
    assert (y.dtype, y.tobytes()) == (sent.dtype, sent.tobytes())


def test_run__texts__kept(make: Make) -> None:
    session = make(graphs.strings(), one_to_one("BYTES", (-1, 1)))
    for sent in ([["é\0b"], [""], ["x" * 100_000]], []):
        array = np.array(sent, object).reshape(-1, 1)
        assert session.run({"x": array})[0].tolist() == sent
    assert session.run({"x": np.array([["plain"]])})[0].tolist() == [["plain"]]


def test_run__text_output_that_is_not_utf8__422(make: Make) -> None:
    names = helper.make_tensor("names", TensorProto.STRING, [1], [b"\xff\xfe"])
    node = helper.make_node("Gather", ["names", "index"], ["name"])
    index = graphs.value("index", ("N",), TensorProto.INT64)
    model = graphs.model([node], [index], [graphs.value("name", ("N",), TensorProto.STRING)], [names])
    session = make(model.SerializeToString(), signature([("index", "INT64", (-1,))], [("name", "BYTES", (-1,))]))
    with pytest.raises(Unprocessable) as caught:
        session.run({"index": np.array([0])})
    assert caught.value.code == "output_not_json"


@pytest.mark.parametrize("shape", [(0, 4), (0,), (3, 0, 2), ()])
def test_run__empty_and_scalar__kept(make: Make, shape: tuple[int, ...]) -> None:
    session = make(graphs.identity(shape=[None] * len(shape)), one_to_one("FP32", (-1,) * len(shape)))
    (y,) = session.run({"x": np.full(shape, 2.5, np.float32)})
    assert (y.shape, y.tolist()) == (shape, np.full(shape, 2.5).tolist())


def test_run__array_that_lies_otherwise__right_values(make: Make) -> None:
    session = make(graphs.add_constant(1.0))
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    for sent in (grid[:, 1:5], np.asfortranarray(grid[:, :4]), grid[:, :4].astype(">f4"), grid[::-2, 5:1:-1]):
        assert session.run({"x": sent})[0].tolist() == (sent + 1).tolist()


def test_run__fifty_megabytes_and_small_again__right_values(make: Make) -> None:
    session = make(graphs.add_constant(1.0))
    sent = np.arange(12_500_000, dtype=np.float32).reshape(-1, 4)
    (y,) = session.run({"x": sent})
    assert np.array_equal(y, sent + 1)
    assert session.run(rows())[0].tolist() == [[2.0] * 4]


def test_run__answer__is_the_callers_own(make: Make) -> None:
    session = make(graphs.add_constant(1.0))
    (first,) = session.run(rows(value=1.0))
    session.run(rows(value=7.0))
    first[0, 0] += 0.5
    assert first.tolist() == [[2.5, 2.0, 2.0, 2.0]]


def test_run__eight_threads__each_gets_its_own_answer(make: Make) -> None:
    session = make(graphs.add_constant(1.0))

    def ask(i: int) -> bool:
        (y,) = session.run(rows(1 + i % 40, i))
        return y.shape == (1 + i % 40, 4) and bool((y == i + 1).all())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(400)))


@pytest.mark.parametrize(
    "feed",
    [
        {},
        {"x": np.zeros((1, 3), np.float32)},
        {"x": np.zeros((1, 4))},
        {"x": np.zeros((1, 4), np.float32), "z": np.zeros(1, np.float32)},
        {"x": [[1.0] * 4]},
        {"x": np.zeros((1, 4), "datetime64[s]")},
        {"x": np.array([[1, "a", None, 2]], object)},
        {"x": np.array([["\ud800"]], object)},
    ],
)
def test_run__refused_feed__422_and_the_next_is_answered(make: Make, feed: dict) -> None:
    session = make(graphs.add_constant(1.0))
    with pytest.raises(Unprocessable) as caught:
        session.run(feed)
    assert caught.value.code == "model_refused"
    assert not any(mark in caught.value.message for mark in ("/", "::", ".cc", "ONNXRuntimeError"))
    assert session.run(rows())[0].tolist() == [[2.0] * 4]
    assert session.restarts == 0


def test_run__unknown_output__422(make: Make) -> None:
    with pytest.raises(Unprocessable) as caught:
        make(graphs.add_constant()).run(rows(), ("z",))
    assert caught.value.code == "model_refused"


def test_run__the_model_refuses__its_reason(make: Make) -> None:
    session = make(graphs.division(), DIVISION)
    with pytest.raises(Unprocessable, match="Integer division by zero"):
        session.run(quotient_of(6, 0))
    assert session.run(quotient_of(6, 3))[0].tolist() == [2]


def test_run__output_that_is_not_as_declared__as_it_is(make: Make) -> None:
    its = signature([("x", "FP32", (-1, 4)), ("s", "INT64", (2,))], [("y", "FP32", (-1, 3))])
    (y,) = make(graphs.wrong_output_shape(), its).run({**rows(), "s": np.array([1, 4])})
    assert y.tolist() == [[1.0] * 4]


def test_run__deadline_is_over__504_at_once(make: Make) -> None:
    session = make(graphs.add_constant())
    with pytest.raises(DeadlineExceeded):
        session.run(rows(), deadline=soon(-1))
    assert session.run(rows(), deadline=soon())[0].tolist() == [[2.0] * 4]


def test_run__waits_for_another_run__no_longer_than_its_deadline(make: Make) -> None:
    session = make(graphs.looping(2**62), LOOP)
    with ThreadPoolExecutor(1) as other:
        long = other.submit(session.run, {"x": np.ones(1, np.float32)}, deadline=soon(3))
        with pytest.raises(DeadlineExceeded):
            session.run({"x": np.ones(1, np.float32)}, deadline=soon(0.1))
        assert not long.done()
        session.close()
        with pytest.raises(Unavailable) as caught:
            long.result()
    assert caught.value.code == "model_unloaded"


def test_run__closed__503(make: Make) -> None:
    session = make(graphs.add_constant())
    session.close()
    session.close()
    with pytest.raises(Unavailable) as caught:
        session.run(rows())
    assert (caught.value.code, caught.value.retry_after) == ("model_unloaded", 1)


@pytest.mark.parametrize("content", [b"", b"hello", graphs.classifier()])
def test_session__not_what_the_signature_says__503(make: Make, content: bytes, deaths: list) -> None:
    with pytest.raises(Unavailable) as caught:
        make(content)
    assert caught.value.code == "model_not_loadable"
    assert deaths == []


def test_session__file_is_gone__503(tmp_path: Path, deaths: list) -> None:
    with pytest.raises(Unavailable) as caught:
        IsolatedSession(
            tmp_path / "gone", PLUS, memory_bytes=1, limit_bytes=LIMIT, sha256=SHA256, on_death=deaths.append
        )
    assert (caught.value.code, str(tmp_path) in caught.value.message) == ("model_not_loadable", False)
