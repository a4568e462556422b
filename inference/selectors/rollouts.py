"""Questions about rollouts. Every one takes the caller, or a rollout or endpoint that he was given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import (
    Exists,
    F,
    FloatField,
    IntegerField,
    Max,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, RowNumber
from django.utils.translation import gettext as _

from inference.models import (
    ENDED,
    AnalysisRun,
    Endpoint,
    EvidenceBatch,
    EvidenceWindow,
    Experiment,
    Rollout,
    RolloutStage,
    RolloutState,
    SplitActivation,
)
from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal

MOST_POINTS = 200
SHADOW = "shadow"


class Sums(NamedTuple):
    """What the ledger holds of one test: exposures and bad events of the candidate (c) and of stable (s)."""

    n_c: float = 0
    n_s: float = 0
    k_c: int = 0
    k_s: int = 0


class Look(NamedTuple):
    """The evidence at one moment: ln E by guardrail."""

    at: datetime
    ln_e: dict[str, float]


class Pairs(NamedTuple):
    """What the shadow did beside what the ledger counts."""

    n_flips: int
    n_errors: int
    n_dropped: int
    max_abs: float | None


def rollouts_for(principal: Principal) -> QuerySet[Rollout]:
    """Newest first; a token that names its endpoints sees only their rollouts."""
    named = Q() if principal.endpoints is None else Q(endpoint__slug__in=principal.endpoints)
    visible = policy.visible(principal, "endpoint__project_id")
    return (
        Rollout.objects.filter(visible, named, endpoint__deleted_at=None)
        .select_related("endpoint__model", "endpoint__live_split", "stable", "candidate", "created_by", "base_split")
        .prefetch_related(Prefetch("stages", RolloutStage.objects.order_by("index")))
    )


def get_rollout(principal: Principal, rollout_id: int) -> Rollout:
    rollout = rollouts_for(principal).filter(pk=rollout_id).first() if rollout_id < 2**63 else None
    if rollout is None:
        raise NotFound(_("There is no such rollout."))
    return rollout


def count_live(principal: Principal) -> int:
    """Those that have not ended, without what a list needs of them."""
    return rollouts_for(principal).exclude(state__in=ENDED).order_by().count()


def running_rollout(endpoint: Endpoint) -> Rollout | None:
    """The one that moves traffic; a draft moves none."""
    live = endpoint.rollouts.exclude(state__in=[*ENDED, RolloutState.DRAFT])
    return live.select_related("stable", "candidate", "endpoint", "base_split").prefetch_related("stages").first()


def planned_rollout(endpoint: Endpoint) -> Rollout | None:
    """The one that has not ended, be it a draft: there is room for one."""
    return endpoint.rollouts.exclude(state__in=ENDED).select_related("stable", "candidate", "endpoint").first()


def running_experiment(endpoint: Endpoint) -> Experiment | None:
    return endpoint.experiments.filter(state=Experiment.State.RUNNING).first()


def running_at(endpoint_ids: Iterable[int]) -> dict[int, Rollout]:
    """The rollout of each of these endpoints that has one, by endpoint id."""
    live = Rollout.objects.filter(endpoint__in=list(endpoint_ids)).exclude(state__in=ENDED)
    return {rollout.endpoint_id: rollout for rollout in live.select_related("candidate", "stable")}


def came_back_at(endpoint_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(endpoint, candidate) of the rollouts that rolled themselves back or failed before any traffic."""
    states = [RolloutState.ROLLED_BACK, RolloutState.FAILED_VALIDATION]
    rollouts = Rollout.objects.filter(endpoint__in=list(endpoint_ids), state__in=states).order_by()
    return set(rollouts.values_list("endpoint_id", "candidate_id"))


def rollouts_that_ask(principal: Principal, since: datetime) -> QuerySet[Rollout]:
    """On hold, paused, or waiting for approval; and those that came back of themselves since then, where nothing newer
    was begun."""
    newer = Rollout.objects.filter(endpoint=OuterRef("endpoint"), pk__gt=OuterRef("pk"))
    missing = AnalysisRun.objects.filter(rollout=OuterRef("pk")).order_by("-pk").values("facts__missing")[:1]
    came_back = Q(state__in=[RolloutState.ROLLED_BACK, RolloutState.FAILED_VALIDATION], ended_at__gt=since)
    stopped = Q(state__in=[RolloutState.HOLD, RolloutState.PAUSED])
    running = Q(state__in=[RolloutState.SHADOW, RolloutState.CANARY, RolloutState.HOLDBACK])
    rollouts = rollouts_for(principal).annotate(missing=Subquery(missing))
    return rollouts.filter(stopped | running & Q(missing=["approval"]) | came_back & ~Exists(newer))


# --- evidence -------------------------------------------------------------------------------------------------------


def ledger_of(rollout: Rollout, stage: int | None = None) -> dict[str, Sums]:
    """Sums by test of one stage, or of all: for reading only, as decisions never pool stages."""
    batches = EvidenceBatch.objects.filter(rollout=rollout)
    batches = batches if stage is None else batches.filter(stage=stage)
    columns = ("n_c", "n_s", "k_c", "k_s")
    rows = batches.order_by().values_list("guardrail").annotate(*(Sum(column) for column in columns))
    return {name: Sums(*values) for name, *values in rows}


def ledger_by_stage(rollout: Rollout, *guardrails: str) -> dict[int, Sums]:
    """The sums of these tests together, by the index of the stage."""
    batches = EvidenceBatch.objects.filter(rollout=rollout, guardrail__in=guardrails).order_by()
    rows = batches.values_list("stage").annotate(Sum("n_c"), Sum("n_s"), Sum("k_c"), Sum("k_s"))
    return {stage: Sums(*values) for stage, *values in rows}


def stage_of(rollout: Rollout) -> RolloutStage | None:
    """The present one; None before the first."""
    return next((stage for stage in rollout.stages.all() if stage.index == rollout.position), None)


def last_run(rollout: Rollout) -> AnalysisRun | None:
    return rollout.runs.order_by("-pk").first()


def looks_of(rollout: Rollout, most: int = MOST_POINTS) -> list[Look]:
    """The evidence over time in about `most` steps, oldest first; the last one is always there."""
    n_runs = rollout.runs.count()
    step = -(-n_runs // most) or 1
    numbered = rollout.runs.annotate(number=Window(RowNumber(), order_by=F("pk").desc()))
    chosen = numbered.filter(number__in=range(1, n_runs + 1, step)) if step > 1 else rollout.runs.all()
    return [Look(at, ln_e) for at, ln_e in chosen.order_by("pk").values_list("at", "ln_e")]


def pairs_of(rollout: Rollout) -> Pairs:
    """Of what the ledger has taken, so that both count the same pairs."""
    windows = EvidenceWindow.objects.filter(split__rollout=rollout, variant=SHADOW, taken__isnull=False)

    def total(name: str) -> Any:
        return Sum(Cast(KT(f"details__{name}"), IntegerField()), default=0)

    found = windows.aggregate(
        n_flips=total("flips"),
        n_errors=total("errors"),
        n_dropped=total("dropped"),
        max_abs=Max(Cast(KT("details__max_abs"), FloatField())),
    )
    return Pairs(**found)


# --- traffic --------------------------------------------------------------------------------------------------------


def last_move(rollout: Rollout) -> SplitActivation | None:
    """How the serving processes followed when the rollout moved traffic for the last time; None before it did."""
    moves = SplitActivation.objects.filter(endpoint=rollout.endpoint_id, epoch=rollout.epoch)
    return moves.filter(at__gte=rollout.created_at).select_related("split").first()
