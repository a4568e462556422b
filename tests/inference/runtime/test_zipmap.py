"""A list of dictionaries arrives as a plain tensor, in process and with its columns in the order of the labels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.runtime.session import ModelSession, load_session
from portal.lib.errors import Unavailable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

ROWS = np.array([[3, 1, 0, 0], [0, 0, 2, 0]], np.float32)


def loaded(folder: Path, labels: Sequence[int] | Sequence[str], n_classes: int = 3) -> ModelSession:
    path = folder / "model.onnx"
    path.write_bytes(graphs.zipmap_classifier(labels))
    label = TensorSpec("label", "BYTES" if isinstance(labels[0], str) else "INT64", (-1,))
    outputs = (label, TensorSpec("probabilities", "FP32", (-1, n_classes)))
    return load_session(path, Signature((TensorSpec("X", "FP32", (-1, 4)),), outputs))


def softmax(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows[:, :3])
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("labels", [(0, 1, 2), ("a", "b", "c")], ids=["numbers", "texts"])
def test_run__zipmap__tensor_of_probabilities(tmp_path: Path, labels: Sequence[int] | Sequence[str]) -> None:
    session = loaded(tmp_path, labels)
    for deadline in (None, time.monotonic() + 30):
        label, probabilities = session.run({"X": ROWS}, deadline=deadline)
        assert label.tolist() == [labels[0], labels[2]]
        assert (probabilities.dtype, probabilities.shape) == (np.float32, (2, 3))
        np.testing.assert_allclose(probabilities, softmax(ROWS), rtol=1e-6)


def test_run__labels_out_of_order__columns_ascending(tmp_path: Path) -> None:
    (probabilities,) = loaded(tmp_path, (30, 10, 20)).run({"X": ROWS}, ["probabilities"])
    np.testing.assert_allclose(probabilities, softmax(ROWS)[:, [1, 2, 0]], rtol=1e-6)


def test_run__no_rows__tensor_of_no_rows(tmp_path: Path) -> None:
    _, probabilities = loaded(tmp_path, (0, 1, 2)).run({"X": ROWS[:0]})
    assert probabilities.shape == (0, 3)


def test_run__only_the_label_asked_for__as_it_is(tmp_path: Path) -> None:
    (label,) = loaded(tmp_path, ("a", "b", "c")).run({"X": ROWS}, ["label"])
    assert label.tolist() == ["a", "c"]


def test_load__closed__unavailable(tmp_path: Path) -> None:
    session = loaded(tmp_path, (0, 1, 2))
    session.close()
    with pytest.raises(Unavailable):
        session.run({"X": ROWS})
