"""The report's facts in words, with what they mean for serving."""

from __future__ import annotations

from typing import Any

import pytest

from registry.models import ModelVersion, VersionStatus
from registry.pages.report import sections_of
from registry.pages.validation import steps_of

AT = "2026-11-21T12:00:00+00:00"
FACTS: dict[str, Any] = {
    "producer": "pytorch 2.5",
    "ir_version": 10,
    "opsets": {"ai.onnx": 20, "ai.onnx.ml": 3, "com.example": 1},
    "operators": {"Gemm": 2, "Relu": 1},
    "n_parameters": 1_234,
    "weights_bytes": 4_936,
    "labels": {"probabilities": ["cat", "dog"]},
    "archive": {"sha256": "0" * 64, "size": 2_048, "n_left_out": 1},
    "probe": "ok",
    "probe_inputs": {"values": "zeros", "free": 8},
    "run_seconds": 0.002,
    "deterministic": False,
    "dynamic_batch": True,
    "batch_coupled": True,
    "batching": None,
    "isolated": True,
    "isolation_reasons": ["slow"],
}


def told(facts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        str(line.label): (line.text, line.note) for section in sections_of({"facts": facts}) for line in section.lines
    }


def test_sections_of__nothing_known__none() -> None:
    assert sections_of({}) == sections_of(None) == sections_of({"facts": {"ir_version": None}}) == []


def test_sections_of__versions__beside_what_this_server_takes() -> None:
    lines = told(FACTS)
    assert lines["IR version"] == ("10", "this server takes 3 to 13")
    assert lines["Opset"] == ("20", "this server takes 7 to 26")
    assert lines["Opset ai.onnx.ml"] == ("3", "this server takes 1 to 5")
    assert lines["Opset com.example"] == ("1", "")


def test_sections_of__file__operators_parameters_labels_archive() -> None:
    lines = told(FACTS)
    assert lines["Operators"] == ("Gemm × 2, Relu", "")
    assert lines["Parameters"][0] == "1\u202f234"
    assert lines["Columns of probabilities"] == (
        "cat, dog",
        "the file gives dictionaries (ZipMap); here they are columns",
    )
    assert lines["Came as an archive of"][1] == "one file in it was not needed"


def test_sections_of__refused_before_it_was_loaded__no_trial_run() -> None:
    facts = {"ir_version": 10, "opsets": {"ai.onnx": 28}, "peak_memory_bytes": 287_000}
    assert [str(section.title) for section in sections_of({"facts": facts})] == ["The file"]


def test_sections_of__findings__say_what_follows() -> None:
    lines = told(FACTS)
    assert lines["Runs on made-up inputs"] == ("yes", "zeros; sizes that may vary were 8")
    assert lines["Same answer twice"] == ("no", "golden requests and comparisons need a tolerance")
    assert lines["Rows influence each other"] == ("yes", "requests are never joined and jobs run row by row")
    assert lines["Runs"] == ("in a process of its own", "because it takes more than a second for one row")
    assert "Requests may share a run" not in lines


@pytest.mark.parametrize(
    ("version", "states"),
    [
        (ModelVersion(status=VersionStatus.RECEIVING), ["done", "waiting", *["waiting"] * 4]),
        (
            ModelVersion(status=VersionStatus.RECEIVING, steps=[{"name": "unpack", "at": AT}]),
            ["done", "now", *["waiting"] * 4],
        ),
        (
            ModelVersion(
                status=VersionStatus.VALIDATING,
                report={"facts": {"archive": {}}},
                steps=[{"name": "lint", "at": AT}],
            ),
            ["done", "done", "now", *["waiting"] * 3],
        ),
        (
            ModelVersion(
                status=VersionStatus.REJECTED,
                report={"steps": [{"name": "unpack", "status": "failed", "seconds": 0.0}]},
            ),
            ["done", "failed", *["waiting"] * 4],
        ),
    ],
    ids=["queued", "unpacking", "checking", "refused"],
)
def test_steps_of__archive__unpacked_before_the_rest(version: ModelVersion, states: list[str]) -> None:
    assert [step.state for step in steps_of(version)] == states
    assert steps_of(version)[1].name == "unpack"
