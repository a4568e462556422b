"""The routes of the MLflow protocol, under the prefixes that its clients use."""

from __future__ import annotations

from django.urls import path

from registry.mlflow import artifacts, experiments, logged_models, model_versions, registered_models, run_data, runs
from registry.mlflow.server import ServerInfo

registry = [
    path("registered-models/create", registered_models.Create.as_view()),
    path("registered-models/rename", registered_models.Rename.as_view()),
    path("registered-models/update", registered_models.Update.as_view()),
    path("registered-models/delete", registered_models.Delete.as_view()),
    path("registered-models/get", registered_models.Get.as_view()),
    path("registered-models/search", registered_models.Search.as_view()),
    path("registered-models/get-latest-versions", registered_models.LatestVersions.as_view()),
    path("registered-models/set-tag", registered_models.SetTag.as_view()),
    path("registered-models/delete-tag", registered_models.DeleteTag.as_view()),
    path("registered-models/alias", registered_models.Alias.as_view()),
    path("model-versions/create", model_versions.Create.as_view()),
    path("model-versions/update", model_versions.Update.as_view()),
    path("model-versions/transition-stage", model_versions.TransitionStage.as_view()),
    path("model-versions/delete", model_versions.Delete.as_view()),
    path("model-versions/get", model_versions.Get.as_view()),
    path("model-versions/search", model_versions.Search.as_view()),
    path("model-versions/get-download-uri", model_versions.DownloadUri.as_view()),
    path("model-versions/set-tag", model_versions.SetTag.as_view()),
    path("model-versions/delete-tag", model_versions.DeleteTag.as_view()),
]
tracking = [
    path("experiments/create", experiments.Create.as_view()),
    path("experiments/get", experiments.Get.as_view()),
    path("experiments/get-by-name", experiments.GetByName.as_view()),
    path("experiments/search", experiments.Search.as_view()),
    path("experiments/update", experiments.Update.as_view()),
    path("experiments/delete", experiments.Delete.as_view()),
    path("experiments/restore", experiments.Restore.as_view()),
    path("experiments/set-experiment-tag", experiments.SetTag.as_view()),
    path("experiments/delete-experiment-tag", experiments.DeleteTag.as_view()),
    path("runs/create", runs.Create.as_view()),
    path("runs/get", runs.Get.as_view()),
    path("runs/update", runs.Update.as_view()),
    path("runs/search", runs.Search.as_view()),
    path("runs/delete", runs.Delete.as_view()),
    path("runs/restore", runs.Restore.as_view()),
    path("runs/log-metric", run_data.LogMetric.as_view()),
    path("runs/log-parameter", run_data.LogParam.as_view()),
    path("runs/log-batch", run_data.LogBatch.as_view()),
    path("runs/set-tag", run_data.SetTag.as_view()),
    path("runs/delete-tag", run_data.DeleteTag.as_view()),
    path("runs/log-inputs", run_data.LogInputs.as_view()),
    path("runs/outputs", run_data.LogOutputs.as_view()),
    path("runs/log-model", run_data.LogModel.as_view()),
    path("metrics/get-history", run_data.MetricHistory.as_view()),
    path("artifacts/list", artifacts.RunListing.as_view()),
    path("logged-models", logged_models.Create.as_view()),
    path("logged-models/search", logged_models.Search.as_view()),
    path("logged-models/<str:model_id>", logged_models.Detail.as_view()),
    path("logged-models/<str:model_id>/tags", logged_models.SetTags.as_view()),
    path("logged-models/<str:model_id>/tags/<str:key>", logged_models.DeleteTag.as_view()),
    path("logged-models/<str:model_id>/params", logged_models.LogParams.as_view()),
    path("logged-models/<str:model_id>/artifacts/directories", artifacts.LoggedModelListing.as_view()),
]
proxy = [
    path("artifacts", artifacts.Listing.as_view()),
    path("artifacts/<path:path>", artifacts.File.as_view()),
    path("mpu/create/<path:path>", artifacts.Parts.as_view()),
    path("mpu/complete/<path:path>", artifacts.Parts.as_view()),
    path("mpu/abort/<path:path>", artifacts.Parts.as_view()),
    path("presigned/<path:path>", artifacts.Presigned.as_view()),
]


def _below(prefix: str, routes: list[object]) -> list[object]:
    return [path(prefix + str(route.pattern), route.callback) for route in routes]  # type: ignore[attr-defined]


urlpatterns = [
    *_below("api/2.0/mlflow/", [*registry, *tracking]),
    *_below("ajax-api/2.0/mlflow/", [*registry, *tracking]),
    *_below("api/2.0/mlflow-artifacts/", [*proxy]),
    path("model-versions/get-artifact", artifacts.VersionFile.as_view()),
    path("get-artifact", artifacts.RunFile.as_view()),
    path("api/3.0/mlflow/server-info", ServerInfo.as_view()),
]
