"""A registered version as a folder that `mlflow.onnx.load_model` and `mlflow.pyfunc.load_model` can load.

The model's bytes are those that were registered; what MLflow wants beside them is made up from the version's signature.
So versions that came through the page or the API are loaded the same way as those that came from a training script.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version as installed
from platform import python_version
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotFound
from registry.artifacts.model_files import ModelFile
from registry.models import ModelVersion, VersionStatus
from registry.services.archives import artifact_of
from registry.services.artifacts import opened

MODEL = "model.onnx"
DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "str",
}  # fmt: skip


def stored_files(version: ModelVersion) -> dict[str, ModelFile]:
    """The version's own files by name; the graph of a single-file version is `model.onnx` whatever it was called."""
    files = artifact_of(version).files or (ModelFile(MODEL, version.sha256, version.size),)
    return {file.name: file for file in files}


def made_files(version: ModelVersion) -> dict[str, bytes]:
    """JSON is YAML too."""
    graph = next(iter(stored_files(version)))
    return {
        "MLmodel": json.dumps(_mlmodel(version, graph), indent=2).encode(),
        "requirements.txt": b"mlflow\nonnx\nonnxruntime\n",
    }


def sizes(version: ModelVersion) -> dict[str, int]:
    """All files by path, with their bytes."""
    made = {name: len(content) for name, content in made_files(version).items()}
    return made | {name: file.size for name, file in stored_files(version).items()}


def open_stored(version: ModelVersion, name: str) -> BinaryIO:
    """Proven against the registered digests. Raises NotFound, Conflict for what is not validated, Unavailable."""
    stored = stored_files(version)
    if name not in stored:
        raise NotFound(_("Version %(n)s has no file “%(name)s”.") % {"n": version.number, "name": name[:100]})
    with opened(artifact_of(version)) as model:
        descriptor = model.main if name == next(iter(stored)) else model.data[name]
        # The same open file under a number of its own: `opened` closes the others.
        return os.fdopen(os.dup(descriptor), "rb")


def check_loadable(version: ModelVersion) -> None:
    """Raises Conflict while it is validated, and for what was rejected."""
    if version.status not in (VersionStatus.READY, VersionStatus.ARCHIVED):
        raise Conflict(
            _("Version %(n)s is %(status)s: only a ready version can be downloaded through the MLflow client.")
            % {"n": version.number, "status": version.get_status_display().lower()},
            code="version_not_ready",
        )


def _mlmodel(version: ModelVersion, graph: str) -> dict[str, Any]:
    onnx = {"data": graph, "onnx_version": installed("onnx"), "providers": ["CPUExecutionProvider"], "code": None}
    function = {"loader_module": "mlflow.onnx", "data": graph, "python_version": python_version()}
    document: dict[str, Any] = {
        "flavors": {"onnx": onnx, "python_function": function},
        "model_uuid": version.sha256[:32],
        "utc_time_created": version.created_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "model_size_bytes": version.size,
        "metadata": {"sha256": version.sha256, "registered_as": f"{version.model.name}/{version.number}"},
    }
    signature = {side: _specs((version.signature or {}).get(side) or []) for side in ("inputs", "outputs")}
    if all(signature.values()):
        document["signature"] = {**signature, "params": None}
    return document


def _specs(tensors: list[dict[str, Any]]) -> str:
    """MLflow's tensor specs as the JSON text that MLmodel holds; empty where one has no type there."""
    if not tensors or any(tensor["datatype"] not in DTYPES for tensor in tensors):
        return ""
    return json.dumps(
        [
            {
                "name": tensor["name"],
                "type": "tensor",
                "tensor-spec": {"dtype": DTYPES[tensor["datatype"]], "shape": list(tensor["shape"])},
            }
            for tensor in tensors
        ]
    )
