"""Lists of dictionaries are found at validation, with their labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.artifacts.report import Report
from registry.artifacts.signature import TensorSpec
from registry.artifacts.zipmap import as_tensor
from tests import graphs, hostile_graphs
from tests.examined import validate

Check = Callable[[bytes], Report]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(data: bytes) -> Report:
        (tmp_path / "model").write_bytes(data)
        return validate(tmp_path / "model")

    return run


@pytest.mark.parametrize(
    ("labels", "sorted_labels", "kind"),
    [
        ((0, 1, 2), [0, 1, 2], "INT64"),
        (("setosa", "versicolor", "virginica"), ["setosa", "versicolor", "virginica"], "BYTES"),
        ((30, 10, 20), [10, 20, 30], "INT64"),
        (("c", "é", "B"), ["B", "c", "é"], "BYTES"),
    ],
)
def test_validate__zipmap__plain_tensor_and_labels(check: Check, labels: Any, sorted_labels: Any, kind: str) -> None:
    report = check(graphs.zipmap_classifier(labels))
    assert (report.status, report.message) == ("ready", "")
    assert report.signature is not None
    assert report.signature.outputs == (
        TensorSpec("label", kind, (-1,)),
        TensorSpec("probabilities", "FP32", (-1, 3)),
    )
    assert report.facts["labels"] == {"probabilities": sorted_labels}
    assert (report.facts["dynamic_batch"], report.facts["deterministic"]) == (True, True)
    assert report.facts["batch_coupled"] is False


def test_validate__zipmap_alone__ready(check: Check) -> None:
    report = check(hostile_graphs.zipmap())
    assert report.status == "ready"
    assert report.signature is not None
    assert report.signature.outputs == (TensorSpec("y", "FP32", (-1, 4)),)


def test_validate__dictionaries_of_something_else__rejected(check: Check) -> None:
    report = check(hostile_graphs.zipmap_of_doubles())
    assert (report.code, report.status) == ("zipmap_output", "rejected")
    assert "options={'zipmap': False}" in report.message


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([{0: 1.0, 1: 0.0}, {0: 1.0, 2: 0.0}], "different labels"),
        ([{0: 1.0, 1: 0.0}, {0: 1.0}], "different labels"),
        ([{0: 1.0, 1: 0.0}, {0: 1.0, 1: 0.0, 2: 0.0}], "different labels"),
        ([{0: 1.0}], "1 classes where 2 are declared"),
    ],
)
def test_as_tensor__rows_that_do_not_fit__refused(rows: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        as_tensor(rows, 2)


def test_as_tensor__no_rows__shape_kept() -> None:
    assert as_tensor([], 3).shape == (0, 3)
    assert as_tensor([{"b": 0.25, "a": 0.75}], 2).tolist() == [[0.75, 0.25]]
    assert as_tensor([{1: 0.5}], 1).dtype == np.float32
