"""Questions about experiments. Every one answers only from what the caller may see."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from inference.models import Endpoint, Experiment
from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal


def experiments_for(principal: Principal) -> QuerySet[Experiment]:
    """Newest first; a token that names its endpoints sees only theirs."""
    named = Q() if principal.endpoints is None else Q(endpoint__slug__in=principal.endpoints)
    return (
        Experiment.objects.filter(policy.visible(principal, "endpoint__project_id"), named)
        .select_related("endpoint__model", "endpoint__project", "endpoint__live_split", "base_split", "created_by")
        .prefetch_related("arms__version")
    )


def get_experiment(principal: Principal, experiment_id: int) -> Experiment:
    known = experiments_for(principal).filter(pk=experiment_id) if 0 < experiment_id < 2**63 else None
    experiment = known.first() if known is not None else None
    if experiment is None:
        raise NotFound(_("There is no such experiment."))
    return experiment


def experiments_of(principal: Principal, endpoint: Endpoint) -> QuerySet[Experiment]:
    return experiments_for(principal).filter(endpoint=endpoint)


def running_experiment(endpoint: Endpoint) -> Experiment | None:
    running = Experiment.objects.filter(endpoint=endpoint, state=Experiment.State.RUNNING)
    return running.select_related("endpoint", "base_split").first()
