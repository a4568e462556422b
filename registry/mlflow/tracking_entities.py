"""Experiments, runs and logged models as MLflow writes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from registry.mlflow import places
from registry.mlflow.entities import milliseconds, number, pairs
from registry.mlflow.measured import last_metrics, metrics_of_models
from registry.models import LoggedModel, TrackingExperiment, TrackingMetric, TrackingRun

MODEL_TYPE = "mlflow.model_type"
MOST_MILLISECONDS = 253_402_300_799_000


def moment(value: int) -> datetime | None:
    """Of milliseconds since the epoch; None for what is no moment of this calendar."""
    if not 0 < value < MOST_MILLISECONDS:
        return None
    return datetime.fromtimestamp(value / 1000, UTC)


def lifecycle(row: TrackingExperiment | TrackingRun) -> str:
    return "deleted" if row.deleted_at else "active"


def experiment_json(experiment: TrackingExperiment) -> dict[str, Any]:
    return {
        "experiment_id": str(experiment.pk),
        "name": experiment.name,
        "artifact_location": f"{places.SCHEME}{experiment.pk}",
        "lifecycle_stage": lifecycle(experiment),
        "creation_time": milliseconds(experiment.created_at),
        "last_update_time": milliseconds(experiment.updated_at),
        "tags": pairs(experiment.tags),
    }


def metric_json(metric: TrackingMetric) -> dict[str, Any]:
    facts = {"key": metric.key, "value": number(metric.value), "timestamp": metric.timestamp, "step": metric.step}
    return facts | ({"model_id": metric.model_id, "run_id": metric.run_id} if metric.model_id else {})


def run_info(run: TrackingRun) -> dict[str, Any]:
    info = {
        "run_id": run.pk,
        "run_uuid": run.pk,
        "run_name": run.name,
        "experiment_id": str(run.experiment_id),
        "user_id": run.created_by.get_username() if run.created_by else "",
        "status": run.status,
        "start_time": milliseconds(run.started_at),
        "artifact_uri": places.SCHEME + places.of_run(run),
        "lifecycle_stage": lifecycle(run),
    }
    return info | ({"end_time": milliseconds(run.ended_at)} if run.ended_at else {})


def runs_json(runs: Iterable[TrackingRun]) -> list[dict[str, Any]]:
    """In two queries, however many there are."""
    runs = list(runs)
    measured = last_metrics(run.pk for run in runs)
    return [_run_json(run, measured.get(run.pk, [])) for run in runs]


def _run_json(run: TrackingRun, metrics: Iterable[TrackingMetric]) -> dict[str, Any]:
    outputs = [item for item in run.outputs if "kind" not in item]
    inputs = [{"model_id": item["model_id"]} for item in run.outputs if item.get("kind") == "input"]
    datasets = [
        {"dataset": item["dataset"], "tags": pairs(item["tags"])}
        for item in run.outputs
        if item.get("kind") == "dataset"
    ]
    return {
        "info": run_info(run),
        "data": {
            "metrics": [metric_json(metric) for metric in metrics],
            "params": pairs(run.params),
            "tags": pairs(run.tags),
        },
        "inputs": {"dataset_inputs": datasets, "model_inputs": inputs},
        "outputs": {"model_outputs": [{"model_id": item["model_id"], "step": item["step"]} for item in outputs]},
    }


def logged_models_json(models: Iterable[LoggedModel]) -> list[dict[str, Any]]:
    models = list(models)
    measured = metrics_of_models(model.pk for model in models)
    return [_logged_model_json(model, measured.get(model.pk, [])) for model in models]


def _logged_model_json(model: LoggedModel, metrics: Iterable[TrackingMetric]) -> dict[str, Any]:
    info = {
        "model_id": model.pk,
        "experiment_id": str(model.experiment_id),
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": places.SCHEME + places.of_logged_model(model),
        "status": model.status,
        "source_run_id": model.run_id or "",
        "model_type": model.tags.get(MODEL_TYPE, ""),
        "tags": pairs({key: value for key, value in model.tags.items() if key != MODEL_TYPE}),
    }
    return {
        "info": info,
        "data": {"params": pairs(model.params), "metrics": [metric_json(metric) for metric in metrics]},
    }
