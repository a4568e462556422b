"""What training scripts make and take away: experiments, runs, and models before anybody registers them.

It takes the right to upload, and is recorded. What is written into them stands in `tracking_notes.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput
from registry.access import policy
from registry.access.principal import SYSTEM, Principal
from registry.models import LoggedModel, Project, TrackingExperiment, TrackingRun
from registry.services import audit
from registry.services.tracking_notes import ACTION, check_alive, locked_run, merged, write

DEFAULT_EXPERIMENT = "Default"
MOST_NAME_CHARACTERS = 500
# MLflow keeps a run's name among its tags too.
NAME_TAG = "mlflow.runName"


def create_experiment(
    principal: Principal, project: Project, name: str, tags: Mapping[str, str] | None = None
) -> TrackingExperiment:
    """Raises Conflict (`name_taken`)."""
    policy.require(principal, ACTION, project.pk)
    facts = {"name": checked_name(name), "tags": merged({}, tags or {})}
    try:
        with transaction.atomic():
            made = TrackingExperiment.objects.create(project=project, **facts)
            audit.record(principal, "training_experiment.created", made, project_id=project.pk)
    except IntegrityError:
        raise _name_taken(name) from None
    return made


def default_experiment(project: Project) -> TrackingExperiment:
    """The one that scripts use which name none."""
    found = TrackingExperiment.objects.filter(project=project, name=DEFAULT_EXPERIMENT).first()
    if found is not None:
        return found
    try:
        return create_experiment(SYSTEM, project, DEFAULT_EXPERIMENT)
    except Conflict:
        return TrackingExperiment.objects.get(project=project, name=DEFAULT_EXPERIMENT)


def rename_experiment(principal: Principal, experiment: TrackingExperiment, name: str) -> None:
    """Raises InvalidInput, Conflict (`name_taken`)."""
    policy.require(principal, ACTION, experiment.project_id)
    checked_name(name)
    try:
        with transaction.atomic():
            locked = TrackingExperiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
            check_alive(locked)
            details = {"from": locked.name, "to": name}
            write(locked, {"name": name})
            project_id = experiment.project_id
            audit.record(principal, "training_experiment.renamed", locked, project_id=project_id, details=details)
    except IntegrityError:
        raise _name_taken(name) from None


def delete_experiment(principal: Principal, experiment: TrackingExperiment) -> None:
    """With the runs that are in it. Once more does no harm."""
    policy.require(principal, ACTION, experiment.project_id)
    now = timezone.now()
    with transaction.atomic():
        alive = TrackingExperiment.objects.filter(pk=experiment.pk, deleted_at=None)
        if alive.update(deleted_at=now, updated_at=now):
            experiment.runs.filter(deleted_at=None).update(deleted_at=now)
            audit.record(principal, "training_experiment.deleted", experiment, project_id=experiment.project_id)


def restore_experiment(principal: Principal, experiment: TrackingExperiment) -> None:
    """With the runs that went away with it; those that were deleted before stay so. Once more does no harm."""
    policy.require(principal, ACTION, experiment.project_id)
    with transaction.atomic():
        locked = TrackingExperiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
        if locked.deleted_at is not None:
            locked.runs.filter(deleted_at=locked.deleted_at).update(deleted_at=None)
            write(locked, {"deleted_at": None})
            audit.record(principal, "training_experiment.restored", locked, project_id=locked.project_id)


def create_run(principal: Principal, experiment: TrackingExperiment, **facts: Any) -> TrackingRun:
    """`facts`: name, started_at, tags. Raises InvalidInput, also where the experiment is deleted."""
    policy.require(principal, ACTION, experiment.project_id)
    check_alive(experiment)
    tags = facts.get("tags", {})
    facts["name"] = (facts.get("name") or tags.get(NAME_TAG, ""))[:MOST_NAME_CHARACTERS]
    facts["tags"] = merged({}, tags | ({NAME_TAG: facts["name"]} if facts["name"] else {}))
    return TrackingRun.objects.create(
        run_id=uuid.uuid4().hex, experiment=experiment, created_by_id=principal.user_id, **facts
    )


def edit_run(principal: Principal, run: TrackingRun, **facts: Any) -> TrackingRun:
    """`facts`: name, status, ended_at. Raises InvalidInput where it is deleted."""
    policy.require(principal, ACTION, run.experiment.project_id)
    with transaction.atomic():
        locked = locked_run(run)
        if "name" in facts:
            facts["tags"] = locked.tags | {NAME_TAG: checked_name(facts["name"])}
        write(locked, facts)
    return locked


def delete_run(principal: Principal, run: TrackingRun) -> None:
    """Once more does no harm."""
    policy.require(principal, ACTION, run.experiment.project_id)
    with transaction.atomic():
        if TrackingRun.objects.filter(pk=run.pk, deleted_at=None).update(deleted_at=timezone.now()):
            audit.record(principal, "training_run.deleted", run, project_id=run.experiment.project_id)


def restore_run(principal: Principal, run: TrackingRun) -> None:
    """Once more does no harm."""
    policy.require(principal, ACTION, run.experiment.project_id)
    with transaction.atomic():
        if TrackingRun.objects.filter(pk=run.pk).exclude(deleted_at=None).update(deleted_at=None):
            audit.record(principal, "training_run.restored", run, project_id=run.experiment.project_id)


def create_logged_model(
    principal: Principal, experiment: TrackingExperiment, name: str, *, run: TrackingRun | None = None, **facts: Any
) -> LoggedModel:
    """`facts`: tags, params. Raises InvalidInput, also for a run of another project and where either is deleted."""
    policy.require(principal, ACTION, experiment.project_id)
    check_alive(experiment)
    if run is not None:
        if run.experiment.project_id != experiment.project_id:
            raise InvalidInput(_("The run belongs to another project than the experiment."))
        check_alive(run)
    facts |= {part: merged({}, facts[part]) for part in ("tags", "params")}
    facts |= {"name": checked_name(name), "run": run, "created_by_id": principal.user_id}
    return LoggedModel.objects.create(model_id=f"m-{uuid.uuid4().hex}", experiment=experiment, **facts)


def finish_logged_model(principal: Principal, model: LoggedModel, status: str) -> None:
    policy.require(principal, ACTION, model.experiment.project_id)
    LoggedModel.objects.filter(pk=model.pk, deleted_at=None).update(status=status, updated_at=timezone.now())


def delete_logged_model(principal: Principal, model: LoggedModel) -> None:
    """Once more does no harm."""
    policy.require(principal, ACTION, model.experiment.project_id)
    with transaction.atomic():
        if LoggedModel.objects.filter(pk=model.pk, deleted_at=None).update(deleted_at=timezone.now()):
            audit.record(principal, "logged_model.deleted", model, project_id=model.experiment.project_id)


def checked_name(name: str) -> str:
    if not name.strip() or len(name) > MOST_NAME_CHARACTERS or "\x00" in name:
        raise InvalidInput(
            _("Use a name of 1 to %(n)s characters.") % {"n": MOST_NAME_CHARACTERS}, details={"field": "name"}
        )
    return name


def _name_taken(name: str) -> Conflict:
    return Conflict(_("An experiment named “%(name)s” exists already.") % {"name": name}, code="name_taken")
