"""`model-versions/create`: the same registration as any other upload, told in MLflow's words."""

from __future__ import annotations

import math
import time

from django.http import HttpRequest

from portal.lib.errors import Conflict
from registry import selectors
from registry.access import policy
from registry.access.principal import Principal
from registry.mlflow import finding, sources
from registry.mlflow.entities import OWN_TAGS
from registry.mlflow.measured import last_metrics
from registry.mlflow.said import Said
from registry.mlflow.sources import Source
from registry.models import ModelVersion, RegisteredModel, TrackingRun, VersionStatus
from registry.services.lineage import is_address
from registry.services.versions import About, register_version

MOST_METRICS = 100
# For so long at most the answer to a copy waits for its validation, which takes a moment.
COPY_SECONDS = 5.0


def register(principal: Principal, request: HttpRequest, said: Said) -> ModelVersion:
    """Raises InvalidInput for a source that is not taken. The same bytes are the version that they are already."""
    model = selectors.get_model(principal, said.required("name"))
    policy.require(principal, "version.upload", model.project_id)
    source = sources.resolve(principal, request, model, said.required("source"))
    try:
        about = _about(principal, model, said, source)
        version = register_version(principal, model, source.artifact, source.size, about)
    except Conflict as error:
        number = error.details.get("number")
        if error.code != "same_bytes" or not number:
            raise
        # A script that ran before trains the same model again: it goes on with the version that it made then.
        return selectors.get_version(principal, model.name, int(number))
    if source.is_copy:
        _wait(version)
    return version


def _wait(version: ModelVersion) -> None:
    """In MLflow a copy is ready at once, and the client goes on without looking: usually to set its alias."""
    until = time.monotonic() + COPY_SECONDS
    pending = ModelVersion.objects.filter(pk=version.pk, status__in=(VersionStatus.RECEIVING, VersionStatus.VALIDATING))
    while time.monotonic() < until and pending.exists():
        time.sleep(0.1)


def _about(principal: Principal, model: RegisteredModel, said: Said, source: Source) -> About:
    run = source.run or _known_run(principal, said.text("run_id"), model.project_id)
    own = {
        OWN_TAGS["source"]: said.text("source"),
        OWN_TAGS["model_id"]: source.logged.pk if source.logged else said.text("model_id"),
        OWN_TAGS["run_link"]: said.text("run_link"),
    }
    return About(
        file_name=source.file_name,
        description=said.text("description"),
        tags=said.pairs("tags") | {tag: value for tag, value in own.items() if value},
        metrics=_metrics(source, run),
        lineage=_lineage(said, run),
    )


def _known_run(principal: Principal, run_id: str, project_id: int) -> TrackingRun | None:
    """None for a run of another tracking server, or of another project: its id is noted as it is."""
    return finding.runs_for(principal).filter(pk=run_id, experiment__project=project_id).first() if run_id else None


def _lineage(said: Said, run: TrackingRun | None) -> dict[str, dict[str, str]]:
    link = said.text("run_link")
    facts = {"id": run.pk if run else said.text("run_id"), "url": link if is_address(link) else ""}
    if run is not None:
        facts |= {"name": run.name, "experiment": run.experiment.name}
    return {"run": facts} if facts["id"] else {}


def _metrics(source: Source, run: TrackingRun | None) -> dict[str, float]:
    """What the run measured last, as far as a version can hold it."""
    measured = last_metrics([run.pk]).get(run.pk, []) if run else []
    model_id = source.logged.pk if source.logged else ""
    fitting = [item for item in measured if item.model_id in ("", model_id) and math.isfinite(item.value)]
    return {item.key: item.value for item in fitting[:MOST_METRICS] if abs(item.value) < 1e300}
