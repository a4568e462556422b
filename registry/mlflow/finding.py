"""Experiments, runs and logged models that the caller may see; what he may not see is missing."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.mlflow.workspace import project_of
from registry.models import LoggedModel, TrackingExperiment, TrackingRun
from registry.services.tracking import default_experiment

# What clients send that were told of no experiment.
DEFAULT_ID = "0"


def experiments_for(principal: Principal) -> QuerySet[TrackingExperiment]:
    return TrackingExperiment.objects.filter(policy.visible(principal))


def runs_for(principal: Principal) -> QuerySet[TrackingRun]:
    visible = policy.visible(principal, "experiment__project_id")
    return TrackingRun.objects.filter(visible).select_related("experiment", "created_by")


def logged_models_for(principal: Principal) -> QuerySet[LoggedModel]:
    visible = policy.visible(principal, "experiment__project_id")
    return LoggedModel.objects.filter(visible, deleted_at=None).select_related("experiment", "run", "created_by")


def experiment(principal: Principal, request: HttpRequest, text: str) -> TrackingExperiment:
    """By its id, or `0` for the one called Default. Raises NotFound."""
    if text == DEFAULT_ID:
        return default_experiment(project_of(principal, request))
    found = experiments_for(principal).filter(pk=int(text)).first() if is_number(text) else None
    if found is None:
        raise NotFound(_("There is no experiment “%(id)s”.") % {"id": text[:60]})
    return found


def is_number(text: str) -> bool:
    """Whether it can be the id of a row."""
    return text.isascii() and text.isdigit() and len(text) < 19


def run(principal: Principal, run_id: str) -> TrackingRun:
    found = runs_for(principal).filter(pk=run_id).first() if len(run_id) <= 32 and "\x00" not in run_id else None
    if found is None:
        raise NotFound(_("There is no run “%(id)s”.") % {"id": run_id[:60]})
    return found


def logged_model(principal: Principal, model_id: str) -> LoggedModel:
    fits = len(model_id) <= 40 and "\x00" not in model_id
    found = logged_models_for(principal).filter(pk=model_id).first() if fits else None
    if found is None:
        raise NotFound(_("There is no logged model “%(id)s”.") % {"id": model_id[:60]})
    return found
