"""A model with its weights beside it, packed in an archive: uploaded, unpacked, checked, promoted, called."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests import archives, graphs
from tests.flows.portal import Client


def upload(client: Client, name: str, data: bytes, file_name: str) -> dict[str, Any]:
    """The version once its fate is decided."""
    assert client.post("/api/v1/models", {"name": name}).status == 201
    answer = client.upload(name, data, file_name)
    assert answer.status == 202, answer
    return client.version(name, answer.body["number"])


def serve(client: Client, name: str) -> None:
    assert client.post("/api/v1/endpoints", {"slug": name, "model": name}).status == 201
    client.promote(name, 1)


@pytest.mark.parametrize(("pack", "suffix"), [(archives.zipped, "zip"), (archives.tarred, "tar")])
def test_archive__model_and_weights__served_with_exact_numbers(
    alice: Client, name: str, pack: Any, suffix: str
) -> None:
    version = upload(alice, name, pack(archives.bundle()), f"bundle.{suffix}")
    assert (version["status"], version["report"]["code"]) == ("ready", ""), version
    serve(alice, name)
    answer = alice.infer(name, [[1, 2, 3, 4], [0, 0, 0, 0]])
    assert answer.status == 200, answer
    assert answer.body["outputs"][0]["data"] == [11, 22, 33, 44, 10, 20, 30, 40]


@pytest.mark.parametrize(
    ("location", "code", "sentence"),
    [
        ("../weights.bin", "unsafe_data_location", "The graph looks for its weights in '../weights.bin'"),
        ("/etc/passwd", "unsafe_data_location", "The graph looks for its weights in '/etc/passwd'"),
        ("other.bin", "missing_data_file", "The graph names the data file 'other.bin', which the bundle does not hold"),
    ],
)
def test_archive__graph_names_what_is_not_there__rejected_with_a_sentence(
    alice: Client, name: str, location: str, code: str, sentence: str
) -> None:
    files = {"model.onnx": archives.names(location), "weights.bin": archives.WEIGHTS}
    version = upload(alice, name, archives.zipped(files), "bundle.zip")
    assert (version["status"], version["report"]["code"]) == ("rejected", code)
    assert version["report"]["message"].startswith(sentence)


def test_zipmap__classifier_of_a_pipeline__plain_tensors(alice: Client, name: str) -> None:
    version = upload(alice, name, graphs.zipmap_classifier(), "pipeline.onnx")
    assert version["signature"]["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert version["report"]["facts"]["labels"] == {"probabilities": ["setosa", "versicolor", "virginica"]}
    serve(alice, name)
    body = {"inputs": [{"name": "X", "shape": [2, 4], "datatype": "FP32", "data": [3, 1, 0, 0, 0, 0, 2, 0]}]}
    label, probabilities = alice.post(f"/v2/models/{name}/infer", body).body["outputs"]
    assert (label["data"], probabilities["shape"]) == (["setosa", "virginica"], [2, 3])
    powers = [[math.exp(score) for score in row] for row in ([3, 1, 0], [0, 0, 2])]
    expected = [value / sum(row) for row in powers for value in row]
    assert probabilities["data"] == pytest.approx(expected, rel=1e-6)
