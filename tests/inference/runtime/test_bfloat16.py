from __future__ import annotations

import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.runtime.session import ModelSession, load_session
from portal.lib.errors import Unprocessable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

BF16, FP16 = TensorProto.BFLOAT16, TensorProto.FLOAT16
VALUES = [[1.0, 2.0, 3.0, 4.5], [-0.5, 256.0, 1e30, 0.0]]


def loaded(folder: Path, model: bytes, given: str, taken: str) -> ModelSession:
    path = folder / "model.onnx"
    path.write_bytes(model)
    return load_session(path, Signature((TensorSpec("x", given, (-1, 4)),), (TensorSpec("y", taken, (-1, 4)),)))


def cast(from_: int, to: int) -> bytes:
    node = helper.make_node("Cast", ["x"], ["y"], to=to)
    ends = [graphs.value("x", ("N", 4), from_)], [graphs.value("y", ("N", 4), to)]
    return graphs.model([node], *ends).SerializeToString()


def test_run__bfloat16_in_and_out__same_values(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.identity(BF16), "BF16", "BF16")
    x = np.array(VALUES, ml_dtypes.bfloat16)
    for deadline in (None, time.monotonic() + 30):
        (y,) = session.run({"x": x}, deadline=deadline)
        assert (y.dtype, y.shape, y.tobytes()) == (x.dtype, (2, 4), x.tobytes())


def test_run__bfloat16_that_does_not_lie_in_one_piece__same_values(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.identity(BF16), "BF16", "BF16")
    x = np.arange(16).astype(ml_dtypes.bfloat16).reshape(2, 8)[:, ::2]
    assert session.run({"x": x})[0].tolist() == [[0, 2, 4, 6], [8, 10, 12, 14]]
    assert session.run({"x": x[:0]})[0].shape == (0, 4)


@pytest.mark.parametrize(
    ("from_", "to", "given", "taken"),
    [(BF16, TensorProto.FLOAT, "BF16", "FP32"), (TensorProto.FLOAT, BF16, "FP32", "BF16")],
)
def test_run__bfloat16_on_one_side__converted(tmp_path: Path, from_: int, to: int, given: str, taken: str) -> None:
    session = loaded(tmp_path, cast(from_, to), given, taken)
    dtypes = {"BF16": ml_dtypes.bfloat16, "FP32": np.float32}
    x = np.array([[1, 2, 3, 4.5]]).astype(dtypes[given])
    (y,) = session.run({"x": x})
    assert y.dtype == dtypes[taken]
    assert y.tolist() == [[1, 2, 3, 4.5]]


@pytest.mark.parametrize("x", [np.zeros((1, 4), np.float16), np.zeros((1, 4), np.uint16), None])
def test_run__another_type_for_bfloat16__refused_not_reinterpreted(tmp_path: Path, x: np.ndarray) -> None:
    session = loaded(tmp_path, graphs.identity(BF16), "BF16", "BF16")
    with pytest.raises(Unprocessable) as caught:
        session.run({"x": x})
    assert caught.value.code == "model_refused"


def test_run__float16_in_and_out__same_values(tmp_path: Path) -> None:
    session = loaded(tmp_path, graphs.identity(FP16), "FP16", "FP16")
    x = np.array([[1, 2.5, -3, 65504]], np.float16)
    (y,) = session.run({"x": x})
    assert y.dtype == np.float16
    assert y.tolist() == x.tolist()
