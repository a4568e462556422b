from __future__ import annotations

from typing import Any

import pytest

from registry.artifacts.report import Rejection, Report, parse

SPEC = {"name": "x", "datatype": "FP32", "shape": [-1, 4]}
READY: dict[str, Any] = {
    "status": "ready",
    "signature": {"inputs": [SPEC], "outputs": [SPEC]},
    "facts": {
        "n_nodes": 1,
        "isolated": True,
        "isolation_reasons": ["loop"],
        "batching": {"max_size": 16, "gain": 2.5},
        "probe_inputs": {"values": "zeros", "free": 8},
    },
    "warnings": [{"code": "odd", "message": "Odd."}],
    "steps": [{"name": "lint", "status": "ok", "seconds": 0.1}],
}


def changed(**parts: Any) -> dict[str, Any]:
    return {**READY, **parts}


def with_spec(**parts: Any) -> dict[str, Any]:
    return changed(signature={"inputs": [{**SPEC, **parts}], "outputs": []})


def test_report__to_json_and_back__equal() -> None:
    report = Report.from_json(READY)
    assert Report.from_json(report.as_json()) == report


def test_rejected__as_json__carries_code_and_message() -> None:
    data = Report.rejected(Rejection("empty_file", "The file is empty.")).as_json()
    assert (data["status"], data["code"], data["message"]) == ("rejected", "empty_file", "The file is empty.")
    assert data["signature"] is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        changed(status="fine"),
        changed(signature=None),
        changed(signature={"inputs": [SPEC]}),
        changed(facts=[]),
        changed(facts={"isolated": "no"}),
        changed(facts={"isolated": None}),
        changed(facts={"isolation_reasons": "loop"}),
        changed(facts={"isolation_reasons": [7]}),
        changed(facts={"batching": 16}),
        changed(facts={"batching": {"max_size": 16}}),
        changed(facts={"batching": {"max_size": True, "gain": 2.0}}),
        changed(facts={"batching": {"max_size": 16, "gain": "much"}}),
        changed(facts={"probe_inputs": {"values": "zeros", "free": None}}),
        changed(message="x" * 1_001),
        changed(message=7),
        changed(warnings="x"),
        changed(warnings=[{"code": "a"}]),
        changed(steps=[{"name": "other", "status": "ok"}]),
        changed(steps=[{"name": "lint", "status": "won"}]),
        changed(steps=[{"name": "lint", "status": "ok", "seconds": []}]),
        with_spec(name=""),
        with_spec(datatype="FLOAT"),
        with_spec(datatype=["FP32"]),
        with_spec(shape=[-2]),
        with_spec(shape=[True]),
        with_spec(shape=[1.0]),
        with_spec(shape=None),
        with_spec(shape=[1] * 33),
    ],
)
def test_from_json__not_a_report__refused(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Report.from_json(data)


@pytest.mark.parametrize("line", [b"", b"{", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": "\\u0000"}', b"\xff"])
def test_parse__not_strict_json__refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse(line)
