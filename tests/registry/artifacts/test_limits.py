"""The numbers in `limits.py` against the installed runtime."""

from __future__ import annotations

import onnxruntime
import pytest
from onnx import helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NotSupported

from registry.artifacts.limits import MAX_IR_VERSION, MAX_OPSETS, MIN_OPSET, Limits
from tests.graphs import IR_VERSION, OPSET, model, value


def loads(opset: int = OPSET, ir_version: int = IR_VERSION, domain: tuple[str, int] | None = None) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    node = helper.make_node("Relu", ["x"], ["y"])
    domains = [domain] if domain else []
    built = model([node], [value("x")], [value("y")], opset=opset, ir_version=ir_version, domains=domains)
    try:
        onnxruntime.InferenceSession(built.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (Fail, NotSupported):
        return False
    return True


def test_ir_version__newest__is_the_runtimes() -> None:
    assert [loads(ir_version=MAX_IR_VERSION), loads(ir_version=MAX_IR_VERSION + 1)] == [True, False]


def test_opset__oldest_and_newest__are_the_runtimes() -> None:
    newest = MAX_OPSETS[""]
    assert [loads(opset) for opset in (MIN_OPSET, newest, newest + 1)] == [True, True, False]


@pytest.mark.parametrize("domain", [domain for domain in MAX_OPSETS if domain])
def test_opset__of_domain__is_the_runtimes(domain: str) -> None:
    newest = MAX_OPSETS[domain]
    assert [loads(domain=(domain, version)) for version in (newest, newest + 1)] == [True, False]


def test_memory__large_file__grows_with_it() -> None:
    assert Limits().memory_for(1_000) == 2 << 30
    assert Limits().memory_for(1 << 30) == 6 << 30


def test_seconds__large_file__grow_with_it() -> None:
    assert [Limits().scaled(30, size << 30) for size in (0, 1, 2)] == [30, 45, 60]
