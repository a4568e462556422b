"""Bundles made by hand: a graph whose weights lie in files of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from onnx import TensorProto, helper

from registry.artifacts.model_files import Artifact, ModelFile, Subject, bundle_digest
from registry.services.artifacts import artifact_store
from registry.services.keys import signer
from tests import graphs

WEIGHTS = "weights/first.bin"
BIAS = "bias.bin"


def linear(weight: np.ndarray, bias: np.ndarray) -> dict[str, bytes]:
    """y = x W + b: the graph first, then each tensor's file. `weight` is [4, 4], `bias` [4], both FP32.

    The weight lies behind a gap at offset 64.
    """
    w, b = _external("w", [4, 4], WEIGHTS, 64, weight.nbytes), _external("b", [4], BIAS, 0, bias.nbytes)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])]
    model = graphs.model(nodes, [graphs.value("x", [None, 4])], [graphs.value("y", [None, 4])], [w, b])
    return {
        "model.onnx": model.SerializeToString(),
        WEIGHTS: bytes(64) + weight.astype("<f4").tobytes(),
        BIAS: bias.astype("<f4").tobytes(),
    }


def store(files: Mapping[str, bytes], *, sealed: bool = True, subject: Subject | None = None) -> Artifact:
    """The files in the artifact store, as the version has them that `subject` names."""
    listed = tuple(
        ModelFile(name, artifact_store().receive([data], limit=len(data)).sha256, len(data))
        for name, data in files.items()
    )
    sha256 = bundle_digest(listed)
    return Artifact(sha256, listed, signer().seal(sha256, {}, subject) if sealed else {}, subject)


def store_one(data: bytes, subject: Subject | None = None) -> Artifact:
    sha256 = artifact_store().receive([data], limit=len(data)).sha256
    assert sha256 == hashlib.sha256(data).hexdigest()
    return Artifact(sha256, (), signer().seal(sha256, {}, subject), subject)


def _external(name: str, dims: list[int], location: str, offset: int, length: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", str(offset)), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor
