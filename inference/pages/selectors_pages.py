"""The questions that only pages ask about serving: lists with their search and order, histories, chunk states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from inference.models import ENDED, BatchJob, Endpoint, Rollout, SplitActivation
from inference.pages.arms import Arm, arms_of, with_shares
from inference.selectors.endpoints import activations_of, endpoints_for
from inference.selectors.jobs import Cell, jobs_for, strip_of
from inference.selectors.quarantines import quarantines_now
from inference.selectors.rollouts import rollouts_for
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel, VersionStatus

ENDPOINT_ORDERS = {"slug": "slug", "model": "model__name", "created": "created_at"}
JOB_ORDERS = {"created": "created_at", "rows": "n_rows", "status": "status"}
MOST_CHOICES = 200


def endpoints_list(principal: Principal, search: str, order: str) -> QuerySet[Endpoint]:
    endpoints = endpoints_for(principal)
    if search:
        endpoints = endpoints.filter(Q(slug__icontains=search) | Q(model__name__icontains=search))
    return endpoints.order_by(order, "slug")


def with_arms(endpoints: Iterable[Endpoint]) -> list[Any]:
    """The endpoints, each with an attribute `arms` for the template: what is live."""
    rows: list[Any] = list(endpoints)
    for endpoint in rows:
        endpoint.arms = arms_of(endpoint.live_split)
    return rows


def endpoints_of(principal: Principal, models: Iterable[RegisteredModel]) -> dict[int, list[Endpoint]]:
    """The endpoints of several models, by model id, in one go."""
    found: dict[int, list[Endpoint]] = {}
    for endpoint in with_arms(endpoints_for(principal).filter(model__in=list(models))):
        found.setdefault(endpoint.model_id, []).append(endpoint)
    return found


def ready_versions(model: RegisteredModel) -> list[ModelVersion]:
    return list(_ready(model)[:MOST_CHOICES])


def offered_versions(model: RegisteredModel) -> list[ModelVersion]:
    """Those that may take traffic: ready, and not quarantined."""
    return list(_ready(model).exclude(pk__in=quarantines_now().values("version"))[:MOST_CHOICES])


def _ready(model: RegisteredModel) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model=model, status=VersionStatus.READY).prefetch_related("aliases")


def last_activation(endpoint: Endpoint) -> SplitActivation | None:
    return activations_of(endpoint).first()


def previous_arms(endpoint: Endpoint, revision: int | None) -> tuple[int | None, list[Arm]]:
    """(revision, arms) that a roll back would go to: the named revision, or the split before the live one."""
    splits = endpoint.splits.prefetch_related(with_shares("shares"))
    if revision is not None:
        split = splits.filter(revision=revision).first() if 0 < revision < 2**31 else None
    else:
        parent = endpoint.live_split.parent_id if endpoint.live_split else None
        split = splits.filter(pk=parent).first() if parent else None
    return (split.revision, arms_of(split)) if split else (None, [])


# --- rollouts -------------------------------------------------------------------------------------------------------


def rollouts_list(principal: Principal, state: str, search: str, order: str) -> QuerySet[Rollout]:
    """`state` is one of RolloutState, or "live" for all that have not ended."""
    rollouts = rollouts_for(principal)
    if state == "live":
        rollouts = rollouts.exclude(state__in=ENDED)
    elif state:
        rollouts = rollouts.filter(state=state)
    if search:
        found = Q(endpoint__slug__icontains=search) | Q(endpoint__model__name__icontains=search)
        rollouts = rollouts.filter(found)
    return rollouts.order_by(order, "-pk")


# --- jobs -----------------------------------------------------------------------------------------------------------


def jobs_list(principal: Principal, status: str, search: str, order: str) -> QuerySet[BatchJob]:
    jobs = jobs_for(principal)
    if status:
        jobs = jobs.filter(status=status)
    if search:
        found = Q(file_name__icontains=search) | Q(endpoint__slug__icontains=search)
        jobs = jobs.filter(found | Q(version__model__name__icontains=search))
    return jobs.order_by(order, "-created_at")


def cells_of(job: BatchJob) -> list[str]:
    """One word a cell of the heat strip, in row order."""
    return [_word(cell, ended=not job.is_active) for cell in strip_of(job)]


def _word(cell: Cell, *, ended: bool) -> str:
    if cell.state == "done":
        return "done" if not cell.n_failed else "failed" if cell.n_failed >= cell.n_rows else "partial"
    if ended:
        return "cancelled"
    return "running" if cell.state == "running" else "waiting"


def target_choices(principal: Principal) -> list[tuple[str, list[tuple[str, str]]]]:
    """What may score a job: endpoints that serve, then ready versions."""
    slugs = endpoints_for(principal).exclude(live_split=None).values_list("slug", flat=True)[:MOST_CHOICES]
    ready = ModelVersion.objects.filter(policy.visible(principal, "model__project_id"), status=VersionStatus.READY)
    versions = ready.select_related("model").order_by("model__name", "-number")[:MOST_CHOICES]
    return [
        (_("What an endpoint serves now"), [(f"endpoint {slug}", slug) for slug in slugs]),
        (
            _("Exactly this version"),
            [(f"version {row.model.name} {row.number}", f"{row.model.name} v{row.number}") for row in versions],
        ),
    ]
