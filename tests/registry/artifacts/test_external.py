"""A model with data files beside it: validated through descriptors, and every reference stays inside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from onnx import ModelProto

from registry.artifacts.report import READY, REJECTED, Rejection, Report
from registry.artifacts.signature import Signature, TensorSpec
from tests import archives, graphs
from tests.archives import WEIGHTS, reference
from tests.examined import validate
from tests.rejections import REFERENCES, assert_documented

Check = Callable[..., Report]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(model: bytes, files: Mapping[str, bytes] | None = None) -> Report:
        paths = {}
        for number, (name, data) in enumerate((files if files is not None else {"weights.bin": WEIGHTS}).items()):
            paths[name] = tmp_path / str(number)
            paths[name].write_bytes(data)
        (tmp_path / "model").write_bytes(model)
        return validate(tmp_path / "model", paths)

    return run


def test_validate__bundle__ready_with_signature_and_facts(check: Check) -> None:
    report = check(archives.adds())
    assert (report.status, report.code, report.message) == (READY, "", "")
    assert report.signature == Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 4)),))
    assert report.facts["n_parameters"] == 4
    assert [step["status"] for step in report.steps] == ["ok"] * 4
    assert report.warnings == ()


def test_validate__two_hundred_data_files__ready(check: Check) -> None:
    files = {f"part{number}.bin": WEIGHTS[:4] for number in range(200)}
    assert check(archives.many_files(200), files).status == READY


def test_validate__offset_without_length__rest_of_the_tensor(check: Check) -> None:
    report = check(archives.adds(reference(offset=4)), {"weights.bin": bytes(4) + WEIGHTS})
    assert report.status == READY


def test_validate__data_file_nobody_names__warned(check: Check) -> None:
    report = check(archives.adds(), {"weights.bin": WEIGHTS, "spare.bin": b"spare"})
    assert [(warning["code"], report.status) for warning in report.warnings] == [("unused_data_file", READY)]
    assert "'spare.bin'" in report.warnings[0]["message"]


@pytest.mark.parametrize("case", REFERENCES)
def test_validate__bad_reference__rejected(check: Check, case: str) -> None:
    build, code = REFERENCES[case]
    report = check(build())
    assert (report.status, report.code) == (REJECTED, code)
    assert_documented("references", case, Rejection(report.code, report.message))


def test_validate__empty_data_file__rejected(check: Check) -> None:
    assert check(archives.adds(), {"weights.bin": b""}).code == "data_out_of_file"


def test_validate__reference_without_a_bundle__says_what_is_taken(check: Check) -> None:
    report = check(archives.adds(), {})
    assert report.code == "external_data"
    assert "Upload a .zip or .tar of model.onnx and its data files" in report.message


def test_validate__weights_beside_and_inside__parameters_counted_together(check: Check) -> None:
    built = ModelProto.FromString(archives.adds())
    built.graph.node.add(op_type="Add", input=["y", "d"], output=["z"])
    built.graph.initializer.append(graphs.constant("d", [1, 2, 3, 4]))
    built.graph.output[0].name = "z"
    report = check(built.SerializeToString())
    assert (report.status, report.facts["n_parameters"]) == (READY, 8)
