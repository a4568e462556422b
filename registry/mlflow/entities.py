"""Registered models and versions as MLflow writes them: versions are text, times are milliseconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from registry.models import ModelAlias, ModelVersion, RegisteredModel, VersionStatus
from registry.selectors import versions_of

STAGES = ("Staging", "Production")
# What MLflow keeps in columns of its own; it lies among the tags here, and is left out of those that it shows.
OWN_TAGS = {"source": "mlflow.source", "model_id": "mlflow.model_id", "run_link": "mlflow.run_link"}
PENDING, READY, FAILED = "PENDING_REGISTRATION", "READY", "FAILED_REGISTRATION"
STATUS = {"receiving": PENDING, "validating": PENDING, "rejected": FAILED}


def milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def pairs(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in values.items()]


def number(value: float) -> float | str:
    """As protobuf's JSON writes a double: NaN and the infinities are texts."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stage_of(version: ModelVersion) -> str:
    if version.status == VersionStatus.ARCHIVED:
        return "Archived"
    names = {alias.name for alias in version.aliases.all()}
    return next((stage for stage in reversed(STAGES) if stage in names), "None")


def place_of(version: ModelVersion) -> str:
    """Where the client finds the version's files: made up on reading, for versions that came by another way too."""
    return f"mlflow-artifacts:/registry/{version.model.name}/{version.number}"


def version_json(version: ModelVersion) -> dict[str, Any]:
    kept = {name: version.tags.get(tag, "") for name, tag in OWN_TAGS.items()}
    run = version.lineage.get("run") or {}
    changed = version.archived_at or version.validated_at or version.created_at
    return {
        "name": version.model.name,
        "version": str(version.number),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(changed),
        "user_id": version.created_by.get_username() if version.created_by else "",
        "current_stage": stage_of(version),
        "description": version.description,
        "source": kept["source"] or place_of(version),
        "run_id": run.get("id", ""),
        "run_link": kept["run_link"],
        "model_id": kept["model_id"],
        "status": STATUS.get(version.status, READY),
        "status_message": _message(version),
        "tags": pairs({key: value for key, value in version.tags.items() if key not in OWN_TAGS.values()}),
        "aliases": [alias.name for alias in version.aliases.all()],
        "model_metrics": [
            {"key": key, "value": number(value), "timestamp": milliseconds(version.created_at), "step": 0}
            for key, value in version.metrics.items()
        ],
    }


def _message(version: ModelVersion) -> str:
    """The sentence of the report; the client shows it in the exception that the user sees."""
    if version.status != VersionStatus.REJECTED:
        return ""
    report = version.report or {}
    hint = report.get("hint") or ""
    return f"{report.get('message', '')} {hint}".strip() + f" ({report.get('code', '')})"


def model_json(model: RegisteredModel, latest: Iterable[ModelVersion] = ()) -> dict[str, Any]:
    """`model` comes with its aliases and their versions."""
    return {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
        "user_id": model.created_by.get_username() if model.created_by else "",
        "description": model.description,
        "latest_versions": [version_json(version) for version in latest],
        "tags": pairs(model.tags),
        "aliases": [
            {"alias": alias.name, "version": str(alias.version.number)}
            for alias in model.aliases.all()
            if alias.version.deleted_at is None
        ],
    }


def with_relations(versions: QuerySet[ModelVersion]) -> QuerySet[ModelVersion]:
    return versions.select_related("model", "created_by").prefetch_related("aliases")


def latest_versions(models: Iterable[RegisteredModel]) -> dict[int, list[ModelVersion]]:
    """By model id: the newest ready version without a stage, those in a stage, and the newest archived one.

    Only what can be loaded counts, so that `models:/name/latest` never leads to a rejected file.
    """
    ids = [model.pk for model in models]
    alive = ModelVersion.objects.filter(model__in=ids, deleted_at=None)
    staged = ModelAlias.objects.filter(model__in=ids, name__in=STAGES).values("version_id")
    newest = alive.order_by("model_id", "-number").distinct("model_id")
    wanted = [
        *newest.filter(status=VersionStatus.READY).exclude(pk__in=staged).values_list("pk", flat=True),
        *newest.filter(status=VersionStatus.ARCHIVED).values_list("pk", flat=True),
        *alive.filter(pk__in=staged).values_list("pk", flat=True),
    ]
    found: dict[int, list[ModelVersion]] = {pk: [] for pk in ids}
    for version in with_relations(ModelVersion.objects.filter(pk__in=wanted)).order_by("model_id", "-number"):
        found[version.model_id].append(version)
    return found


def fresh(model: RegisteredModel, number: int) -> ModelVersion:
    """The version as it stands now, with all that `version_json` reads."""
    return versions_of(model).get(number=number)
