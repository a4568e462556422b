from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from inference.runtime import warmup
from inference.runtime.session import ModelSession, load_session
from inference.runtime.warmup import warm_up
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

OK: dict[str, Any] = {"probe": "ok", "risks": [], "isolated": False, "probe_inputs": {"values": "zeros", "free": 8}}


def loaded(folder: Path, model: bytes, input_: TensorSpec, output: TensorSpec) -> ModelSession:
    path = folder / "model.onnx"
    path.write_bytes(model)
    return load_session(path, Signature((input_,), (output,)))


@pytest.fixture
def plus(tmp_path: Path) -> ModelSession:
    return loaded(tmp_path, graphs.add_constant(), TensorSpec("x", "FP32", (-1, 4)), TensorSpec("y", "FP32", (-1, 4)))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"probe_inputs": {"values": "random", "free": 64}},
        {"probe_inputs": None},
        {"probe_inputs": {"values": 3}},
    ],
)
def test_warm_up__a_model_that_ran_before__runs(plus: ModelSession, changed: dict[str, Any]) -> None:
    assert warm_up(plus, {**OK, **changed})


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {**OK, "probe": "refused"},
        {**OK, "probe": "skipped"},
        {**OK, "isolated": True},
        {"probe": "ok", "risks": ["loop"]},
        {**OK, "probe_inputs": {"values": "nonsense", "free": 8}},
        {**OK, "probe_inputs": {"values": "zeros", "free": 10**9}},
        {**OK, "probe_inputs": {"values": "zeros", "free": -1}},
    ],
)
def test_warm_up__not_known_to_be_harmless__does_not_run(plus: ModelSession, facts: dict[str, Any]) -> None:
    assert not warm_up(plus, facts)


def test_warm_up__the_model_refuses__no_error(tmp_path: Path) -> None:
    index, y = TensorSpec("index", "INT64", (-1,)), TensorSpec("y", "FP32", (-1, 2))
    session = loaded(tmp_path, graphs.gather(1), index, y)
    assert not warm_up(session, {**OK, "probe_inputs": {"values": "ones", "free": 1}})
    assert warm_up(session, {**OK, "probe_inputs": {"values": "zeros", "free": 1}})


def test_warm_up__bfloat16_or_closed__no_error(tmp_path: Path, plus: ModelSession) -> None:
    spec, given = TensorSpec("x", "BF16", (-1, 4)), TensorSpec("y", "BF16", (-1, 4))
    assert not warm_up(loaded(tmp_path, graphs.identity(TensorProto.BFLOAT16), spec, given), OK)
    plus.close()
    assert not warm_up(plus, OK)


def test_warm_up__endless__ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "SECONDS", 0.05)
    session = loaded(tmp_path, graphs.looping(1 << 40), TensorSpec("x", "FP32", (-1,)), TensorSpec("y", "FP32", (-1,)))
    assert not warm_up(session, OK)
