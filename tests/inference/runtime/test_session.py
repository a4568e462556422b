from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.runtime.session import MEMORY_BASE, ModelSession, load_session
from portal.lib.errors import Unavailable, Unprocessable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

PLUS = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 4)),))
CLASSIFIER = Signature(
    (TensorSpec("X", "FP32", (-1, 4)),),
    (TensorSpec("probabilities", "FP32", (-1, 3)), TensorSpec("label", "INT64", (-1,))),
)


def loaded(folder: Path, model: bytes, signature: Signature) -> ModelSession:
    path = folder / "model.onnx"
    path.write_bytes(model)
    return load_session(path, signature)


def one_to_one(input_: TensorSpec, output: TensorSpec) -> Signature:
    return Signature((input_,), (output,))


def test_run__add_ten__exact_values(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.add_constant(10.0), PLUS)
    (y,) = session.run({"x": np.array([[1, 2, 3, 4]], np.float32)})
    assert y.tolist() == [[11.0, 12.0, 13.0, 14.0]]
    assert session.signature is PLUS
    assert session.memory_bytes == int((tmp_path / "model.onnx").stat().st_size * 1.5) + MEMORY_BASE


def test_run__outputs__in_the_order_asked_for_or_of_the_signature(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.classifier(), CLASSIFIER)
    feed = {"X": np.array([[0, 5, 0, 0], [5, 0, 0, 0]], np.float32)}
    probabilities, label = session.run(feed)
    assert (probabilities.shape, label.tolist()) == ((2, 3), [1, 0])
    assert [array.shape for array in session.run(feed, ("label", "probabilities"))] == [(2,), (2, 3)]
    assert [array.tolist() for array in session.run(feed, ("label",))] == [[1, 0]]


def test_run__text_with_nul_and_unicode__kept(tmp_path: Path) -> None:
    spec = TensorSpec("x", "BYTES", (-1, 1))
    session = loaded(tmp_path, graphs.strings(), one_to_one(spec, TensorSpec("y", "BYTES", (-1, 1))))
    assert session.run({"x": np.array([["é\0b"], [""]], object)})[0].tolist() == [["é\0b"], [""]]


def test_run__read_only_input__accepted_and_unchanged(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.add_constant(1.0), PLUS)
    sent = np.ndarray((1, 4), np.float32, b"\0" * 16)
    assert session.run({"x": sent})[0].tolist() == [[1.0] * 4]
    assert sent.tolist() == [[0.0] * 4]


def test_run__many_threads__each_gets_its_own_answer(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.add_constant(1.0), PLUS)

    def ask(i: int) -> bool:
        return bool((session.run({"x": np.full((1, 4), i, np.float32)})[0] == i + 1).all())

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(400)))


def test_run__index_out_of_range__says_so_without_prefixes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    signature = one_to_one(TensorSpec("index", "INT64", (-1,)), TensorSpec("y", "FP32", (-1, 2)))
    session = loaded(tmp_path, graphs.gather(10), signature)
    with pytest.raises(Unprocessable) as caught:
        session.run({"index": np.array([12])})
    assert (caught.value.status, caught.value.code) == (422, "model_refused")
    assert caught.value.message == (
        "The model refused these values: "
        "indices element out of data bounds, idx=12 must be within the inclusive range [-10,9]."
    )
    assert capfd.readouterr() == ("", "")
    assert session.run({"index": np.array([1])})[0].tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize(
    "feed",
    [
        {},
        {"a": np.zeros((1, 2), np.float32)},
        {"a": np.zeros((2, 2), np.float32), "b": np.zeros((3, 2), np.float32)},
        {"a": np.zeros((1, 2)), "b": np.zeros((1, 2))},
        {"a": np.zeros((1, 3), np.float32), "b": np.zeros((1, 3), np.float32)},
        {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32)},
        {"a": None, "b": "text"},
    ],
)
def test_run__refused_feed__422_without_paths(tmp_path: Path, feed: dict, capfd: pytest.CaptureFixture[str]) -> None:
    pair = (TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "FP32", (-1, 2)))
    session = loaded(tmp_path, graphs.two_inputs(), Signature(pair, (TensorSpec("total", "FP32", (-1, 2)),)))
    with pytest.raises(Unprocessable) as caught:
        session.run(feed)
    assert caught.value.code == "model_refused"
    assert not any(mark in caught.value.message for mark in ("/", "::", ".cc", "ONNXRuntimeError"))
    assert len(caught.value.message) < 250
    assert capfd.readouterr() == ("", "")


def test_run__division_by_zero_in_a_batch__422(tmp_path: Path) -> None:
    pair = (TensorSpec("a", "INT64", (-1,)), TensorSpec("b", "INT64", (-1,)))
    session = loaded(tmp_path, graphs.division(), Signature(pair, (TensorSpec("quotient", "INT64", (-1,)),)))
    with pytest.raises(Unprocessable, match="Integer division by zero"):
        session.run({"a": np.array([6]), "b": np.array([0])})


def test_run__text_output_that_is_not_utf8__422(tmp_path: Path) -> None:
    names = helper.make_tensor("names", TensorProto.STRING, [1], [b"\xff\xfe"])
    node = helper.make_node("Gather", ["names", "index"], ["name"])
    index = graphs.value("index", ("N",), TensorProto.INT64)
    model = graphs.model([node], [index], [graphs.value("name", ("N",), TensorProto.STRING)], [names])
    signature = one_to_one(TensorSpec("index", "INT64", (-1,)), TensorSpec("name", "BYTES", (-1,)))
    session = loaded(tmp_path, model.SerializeToString(), signature)
    with pytest.raises(Unprocessable) as caught:
        session.run({"index": np.array([0])})
    assert caught.value.code == "output_not_json"


@pytest.mark.parametrize("content", [b"", b"hello", graphs.add_constant()[:-20], b"\x80\x04K\x01."])
def test_load_session__no_model__unavailable_without_path(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable) as caught:
        loaded(tmp_path, content, PLUS)
    assert (caught.value.status, caught.value.code) == (503, "model_not_loadable")
    assert str(tmp_path) not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_load_session__file_is_gone__unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        load_session(tmp_path / "gone.onnx", PLUS)
    assert caught.value.code == "model_not_loadable"


def test_load_session__file_is_not_what_the_signature_says__unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        loaded(tmp_path, graphs.classifier(), PLUS)
    assert caught.value.code == "model_not_loadable"


@pytest.mark.parametrize(
    "location", ["secret", "./secret", "../secret", "{folder}/secret", "../../../../{folder}/secret"]
)
def test_load_session__external_data__never_read(
    tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "secret").write_bytes(b"\x00\x00\x80\x3f" * 4)
    monkeypatch.chdir(folder)
    model = graphs.model(
        [helper.make_node("Add", ["x", "c"], ["y"])],
        [graphs.value("x")],
        [graphs.value("y")],
        [external("c", location.format(folder=folder))],
    )
    with pytest.raises(Unavailable) as caught:
        loaded(folder, model.SerializeToString(), PLUS)
    assert caught.value.code == "model_not_loadable"


def external(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=text)
    return tensor
