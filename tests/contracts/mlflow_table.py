"""The routes of the MLflow protocol for the role table: who may, and what the crawl sends. Objects are named inside."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from registry.models import LoggedFile, LoggedModel, TrackingExperiment, TrackingRun
from registry.services.artifacts import artifact_store
from tests import factories

RUN, LOGGED = "f" * 32, "m-" + "f" * 32
VIEW, UPLOAD, EDIT = "model.view", "version.upload", "version.edit"
_BELOW: dict[str, dict[str, str]] = {
    "registered-models/create": {"POST": "model.create"},
    "registered-models/rename": {"POST": "model.edit"},
    "registered-models/update": {"PATCH": "model.edit"},
    "registered-models/delete": {"DELETE": "model.delete"},
    "registered-models/get": {"GET": VIEW},
    "registered-models/search": {"GET": VIEW},
    "registered-models/get-latest-versions": {"GET": VIEW, "POST": VIEW},
    "registered-models/set-tag": {"POST": "model.edit"},
    "registered-models/delete-tag": {"DELETE": "model.edit"},
    "registered-models/alias": {"GET": VIEW, "POST": "alias.set", "DELETE": "alias.set"},
    "model-versions/create": {"POST": UPLOAD},
    "model-versions/update": {"PATCH": EDIT},
    "model-versions/transition-stage": {"POST": "alias.set"},
    "model-versions/delete": {"DELETE": "version.delete"},
    "model-versions/get": {"GET": VIEW},
    "model-versions/search": {"GET": VIEW},
    "model-versions/get-download-uri": {"GET": "version.download"},
    "model-versions/set-tag": {"POST": EDIT},
    "model-versions/delete-tag": {"DELETE": EDIT},
    "experiments/create": {"POST": UPLOAD},
    "experiments/get": {"GET": VIEW},
    "experiments/get-by-name": {"GET": VIEW},
    "experiments/search": {"GET": VIEW, "POST": VIEW},
    "experiments/update": {"POST": UPLOAD},
    "experiments/delete": {"POST": UPLOAD},
    "experiments/restore": {"POST": UPLOAD},
    "experiments/set-experiment-tag": {"POST": UPLOAD},
    "experiments/delete-experiment-tag": {"POST": UPLOAD},
    "runs/create": {"POST": UPLOAD},
    "runs/get": {"GET": VIEW},
    "runs/update": {"POST": UPLOAD},
    "runs/search": {"POST": VIEW},
    "runs/delete": {"POST": UPLOAD},
    "runs/restore": {"POST": UPLOAD},
    "runs/log-metric": {"POST": UPLOAD},
    "runs/log-parameter": {"POST": UPLOAD},
    "runs/log-batch": {"POST": UPLOAD},
    "runs/set-tag": {"POST": UPLOAD},
    "runs/delete-tag": {"POST": UPLOAD},
    "runs/log-inputs": {"POST": UPLOAD},
    "runs/outputs": {"POST": UPLOAD},
    "runs/log-model": {"POST": UPLOAD},
    "metrics/get-history": {"GET": VIEW},
    "artifacts/list": {"GET": VIEW},
    "logged-models": {"POST": UPLOAD},
    "logged-models/search": {"POST": VIEW},
    "logged-models/<str:model_id>": {"GET": VIEW, "PATCH": UPLOAD, "DELETE": UPLOAD},
    "logged-models/<str:model_id>/tags": {"PATCH": UPLOAD},
    "logged-models/<str:model_id>/tags/<str:key>": {"DELETE": UPLOAD},
    "logged-models/<str:model_id>/params": {"POST": UPLOAD},
    "logged-models/<str:model_id>/artifacts/directories": {"GET": VIEW},
}
PREFIX, PROXY = "api/2.0/mlflow/", "api/2.0/mlflow-artifacts/"
TABLE: dict[str, dict[str, str]] = {
    **{PREFIX + path: row for path, row in _BELOW.items()},
    **{f"ajax-{PREFIX}{path}": row for path, row in _BELOW.items()},
    PROXY + "artifacts": {"GET": VIEW},
    PROXY + "artifacts/<path:path>": {"GET": "version.download", "PUT": UPLOAD, "DELETE": UPLOAD},
    PROXY + "mpu/create/<path:path>": {"POST": UPLOAD},
    PROXY + "mpu/complete/<path:path>": {"POST": UPLOAD},
    PROXY + "mpu/abort/<path:path>": {"POST": UPLOAD},
    PROXY + "presigned/<path:path>": {"GET": "version.download"},
    "model-versions/get-artifact": {"GET": "version.download"},
    "get-artifact": {"GET": "version.download"},
    "api/3.0/mlflow/server-info": {"GET": "public"},
}
LISTED_BY_POST = tuple(PREFIX + path for path in ("experiments/search", "runs/search", "logged-models/search"))
OUTSIDE_API = ("ajax-api/", "model-versions/get-artifact", "get-artifact")
HAS_OBJECT = ("<str:model_id>", "<path:path>")
# What stands in the query of a GET, by the words of the world's parts.
_QUERIES = {
    "registered-models/get": ("name",),
    "registered-models/get-latest-versions": ("name",),
    "registered-models/alias": ("name", "alias"),
    "model-versions/get": ("name", "version"),
    "model-versions/get-download-uri": ("name", "version"),
    "experiments/get": ("experiment_id",),
    "experiments/get-by-name": ("experiment_name",),
    "runs/get": ("run_id",),
    "metrics/get-history": ("run_id", "metric_key"),
    "artifacts/list": ("run_id",),
}
QUERIES: dict[str, tuple[str, ...]] = {
    **{f"GET {PREFIX}{path}": words for path, words in _QUERIES.items()},
    "GET model-versions/get-artifact": ("name", "version", "path"),
    "GET get-artifact": ("run_id", "path"),
}
_SPARE = {"name": "spare", "version": "1"}
_RUN = {"run_id": RUN}
_BODIES: dict[str, Any] = {
    "POST registered-models/create": {"name": "fresh"},
    "POST registered-models/rename": {"name": "e", "new_name": "f"},
    "PATCH registered-models/update": {"name": "e", "description": "x"},
    "DELETE registered-models/delete": {"name": "spare"},
    "POST registered-models/get-latest-versions": {"name": "e"},
    "POST registered-models/set-tag": {"name": "e", "key": "k", "value": "v"},
    "DELETE registered-models/delete-tag": {"name": "e", "key": "k"},
    "POST registered-models/alias": {"name": "e", "alias": "fresh", "version": "1"},
    "DELETE registered-models/alias": {"name": "e", "alias": "champion"},
    "POST model-versions/create": {"name": "e", "source": f"runs:/{RUN}"},
    "PATCH model-versions/update": {"name": "e", "version": "1", "description": "x"},
    "POST model-versions/transition-stage": {**_SPARE, "stage": "Staging", "archive_existing_versions": False},
    "DELETE model-versions/delete": _SPARE,
    "POST model-versions/set-tag": {**_SPARE, "key": "k", "value": "v"},
    "DELETE model-versions/delete-tag": {**_SPARE, "key": "k"},
    "POST experiments/create": {"name": "fresh"},
    "POST experiments/update": {"experiment_id": "0", "new_name": "x"},
    "POST experiments/delete": {"experiment_id": "0"},
    "POST experiments/restore": {"experiment_id": "0"},
    "POST experiments/set-experiment-tag": {"experiment_id": "0", "key": "k", "value": "v"},
    "POST experiments/delete-experiment-tag": {"experiment_id": "0", "key": "k"},
    "POST runs/create": {"experiment_id": "0"},
    "POST runs/update": {**_RUN, "status": "FINISHED"},
    "POST runs/search": {"experiment_ids": ["0"]},
    "POST runs/delete": _RUN,
    "POST runs/restore": _RUN,
    "POST runs/log-metric": {**_RUN, "key": "k", "value": 1},
    "POST runs/log-parameter": {**_RUN, "key": "k", "value": "v"},
    "POST runs/log-batch": {**_RUN, "metrics": [{"key": "k", "value": 1, "timestamp": 1, "step": 0}]},
    "POST runs/set-tag": {**_RUN, "key": "k", "value": "v"},
    "POST runs/delete-tag": {**_RUN, "key": "note"},
    "POST runs/log-inputs": {**_RUN, "models": [{"model_id": LOGGED}]},
    "POST runs/outputs": {**_RUN, "models": [{"model_id": LOGGED, "step": 0}]},
    "POST runs/log-model": {**_RUN, "model_json": "{}"},
    "POST logged-models": {"experiment_id": "0", "name": "x"},
    "PATCH logged-models/<str:model_id>": {"status": "LOGGED_MODEL_READY"},
    "PATCH logged-models/<str:model_id>/tags": {"tags": [{"key": "k", "value": "v"}]},
    "POST logged-models/<str:model_id>/params": {"params": [{"key": "k", "value": "v"}]},
}
BODIES = {name.replace(" ", f" {PREFIX}", 1): body for name, body in _BODIES.items()}
REFUSED = {f"POST {PROXY}mpu/{verb}/<path:path>": 501 for verb in ("create", "complete", "abort")} | {
    f"GET {PROXY}presigned/<path:path>": 501
}


def make_world() -> tuple[dict[str, Any], dict[str, Any]]:
    """One of everything in `default`: the parts of a path or query that are there, and those that are missing."""
    project = factories.make_project()
    factories.make_version(factories.make_model("spare"), 55.0)
    experiment = TrackingExperiment.objects.create(project=project, name="Default")
    run = TrackingRun.objects.create(run_id=RUN, experiment=experiment, tags={"note": "x"}, started_at=timezone.now())
    LoggedModel.objects.create(model_id=LOGGED, experiment=experiment, run=run, name="model")
    blob = artifact_store().receive([b"text"], limit=10)
    path = f"{experiment.pk}/{RUN}/artifacts/model.onnx"
    LoggedFile.objects.create(project=project, path=path, sha256=blob.sha256, size=blob.size)
    there = {
        "model_id": LOGGED, "path": path, "key": "k", "mlflow_experiment_id": experiment.pk, "run_id": RUN,
        "experiment_name": "Default", "metric_key": "k",
    }  # fmt: skip
    missing = {
        "model_id": "m-no", "path": f"{9**9}/{RUN}/artifacts/model.onnx", "key": "k", "mlflow_experiment_id": 9**9,
        "run_id": "no", "experiment_name": "no", "metric_key": "k",
    }  # fmt: skip
    return there, missing
