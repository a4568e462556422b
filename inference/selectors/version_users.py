"""Who serves a version, or may go back to it: what `registry/services/usage.py` asks before one is taken away."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from inference.models import (
    ENDED,
    BatchJob,
    Endpoint,
    Experiment,
    ExperimentArm,
    MetricWindow,
    ReplayRun,
    Rollout,
    SplitActivation,
    TrafficShare,
    WarmRequest,
)
from inference.models.batch import ACTIVE
from inference.routing.convergence import bump_sequence
from registry.services.usage import Use

# Whoever names a version in the URL is heard of in the windows of counts; after so long a silence he is gone.
CALLED_WITHIN = timedelta(minutes=15)
# Between a load and the move of traffic that asked for it lies the wait for all processes, and little more.
LOADING_MARGIN_SECONDS = 30.0
UNFINISHED = (ReplayRun.State.QUEUED, ReplayRun.State.RUNNING)


def users_of(version_ids: Collection[int], model_ids: Collection[int] = (), *, hold: bool = False) -> list[Use]:
    """With `hold`, inside a transaction, no traffic moves until it ends: whoever moves some takes the same lock."""
    if hold:
        bump_sequence()
    asked = (_endpoints, _previous, _shadows, _kept_warm, _loading, _callers, _rollouts, _experiments, _jobs, _replays)
    uses = [use for ask in asked for use in ask(list(version_ids))] if version_ids else []
    return [*uses, *_addresses(model_ids)]


def last_used(version_ids: Collection[int]) -> dict[int, datetime]:
    """When each last stopped being live, was called, or ended a job."""
    found: dict[int, datetime] = {}
    ids = list(version_ids)
    counted = MetricWindow.objects.filter(version__in=ids).values_list("version_id").annotate(Max("ended_at"))
    scored = BatchJob.objects.filter(version__in=ids, finished_at__isnull=False)
    ended = scored.order_by().values_list("version_id").annotate(Max("finished_at"))
    for version_id, at in (*counted.order_by(), *ended, *_taken_from(ids)):
        if at is not None:
            found[version_id] = max(at, found.get(version_id, at))
    return found


def _taken_from(version_ids: list[int]) -> Iterable[tuple[int, datetime | None]]:
    """(version id, when the split after the one that held it became live), for each time that it was live."""
    after = SplitActivation.objects.filter(endpoint=OuterRef("endpoint"), epoch=OuterRef("epoch") + 1)
    held = SplitActivation.objects.filter(split__shares__variant__version__in=version_ids)
    rows = held.annotate(until=Subquery(after.values("at")[:1])).order_by()
    return rows.values_list("split__shares__variant__version_id", "until")


# --- endpoints --------------------------------------------------------------------------------------------------------


def _living() -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(deleted_at=None).order_by("slug")


def _shares_of(splits: Any, version_ids: list[int]) -> QuerySet[TrafficShare]:
    return TrafficShare.objects.filter(split__in=splits, variant__version__in=version_ids).order_by("pk")


def _endpoints(version_ids: list[int]) -> list[Use]:
    shares = _shares_of(_living().order_by().values("live_split"), version_ids)
    sentence = _("endpoint “%(slug)s” serves it: promote another version there first")
    return [
        Use(version_id, "endpoint", slug, True, sentence % {"slug": slug})
        for version_id, slug in shares.values_list("variant__version_id", "variant__endpoint__slug")
    ]


def _previous(version_ids: list[int]) -> list[Use]:
    """What rolling back leads to, for as long as the setting says."""
    found, now = [], timezone.now()
    for_so_long = timedelta(hours=settings.PORTAL_ROLL_BACK_HOURS)
    activated = SplitActivation.objects.filter(endpoint=OuterRef("pk"), epoch=OuterRef("epoch")).values("at")[:1]
    endpoints = _living().filter(live_split__parent__shares__variant__version__in=version_ids)
    rows = endpoints.annotate(
        live_since=Subquery(activated), version_id=F("live_split__parent__shares__variant__version")
    )
    sentence = _("endpoint “%(slug)s” can roll back to it until %(until)s: wait, or move its traffic once more")
    for slug, version_id, since in rows.values_list("slug", "version_id", "live_since"):
        until = (since or now) + for_so_long
        if until > now and version_id in version_ids:
            words = {"slug": slug, "until": _in_words(until)}
            found.append(Use(version_id, "previous", slug, False, sentence % words))
    return found


def _in_words(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "j M H:i T")


def _shadows(version_ids: list[int]) -> list[Use]:
    rows = _living().filter(live_split__shadow_version__in=version_ids)
    sentence = _("endpoint “%(slug)s” mirrors its traffic to it: end that first")
    return [
        Use(version_id, "shadow", slug, True, sentence % {"slug": slug})
        for version_id, slug in rows.values_list("live_split__shadow_version", "slug")
    ]


def _kept_warm(version_ids: list[int]) -> list[Use]:
    rows = _living().filter(warm_version__in=version_ids, warm_until__gt=timezone.now())
    sentence = _("endpoint “%(slug)s” keeps it loaded to roll back to until %(until)s: wait, or delete the endpoint")
    return [
        Use(row.warm_version_id, "warm", row.slug, False, sentence % {"slug": row.slug, "until": _in_words(until)})
        for row in rows
        if (until := row.warm_until) is not None
    ]


def _loading(version_ids: list[int]) -> list[Use]:
    """Somebody had it loaded a moment ago, and is about to send it traffic."""
    since = timezone.now() - timedelta(seconds=settings.PORTAL_CONVERGENCE_SECONDS + LOADING_MARGIN_SECONDS)
    rows = WarmRequest.objects.filter(version__in=version_ids, created_at__gt=since)
    sentence = _("it is being loaded to take traffic: try again in a minute")
    return [
        Use(version_id, "loading", "", False, sentence)
        for version_id in rows.order_by().values_list("version_id", flat=True).distinct()
    ]


def _callers(version_ids: list[int]) -> list[Use]:
    """A window without a variant counts those who named the version in the URL."""
    recent = MetricWindow.objects.filter(
        version__in=version_ids, variant="", ended_at__gt=timezone.now() - CALLED_WITHIN
    )
    recent = recent.filter(Q(n_ok__gt=0) | Q(n_model_errors__gt=0), endpoint__deleted_at=None).order_by(
        "endpoint__slug"
    )
    sentence = _("callers of endpoint “%(slug)s” name it in their URLs: it is free 15 minutes after the last such call")
    return [
        Use(version_id, "callers", slug, True, sentence % {"slug": slug})
        for version_id, slug in recent.values_list("version_id", "endpoint__slug").distinct()
    ]


def _addresses(model_ids: Collection[int]) -> list[Use]:
    sentence = _("endpoint “%(slug)s” is its address: delete the endpoint first")
    rows = _living().filter(model__in=list(model_ids)).values_list("slug", flat=True) if model_ids else []
    return [Use(None, "endpoint", slug, True, sentence % {"slug": slug}) for slug in rows]


# --- what runs --------------------------------------------------------------------------------------------------------


def _rollouts(version_ids: list[int]) -> list[Use]:
    base = Q(base_split__shares__variant__version__in=version_ids)
    part = Q(stable__in=version_ids) | Q(candidate__in=version_ids) | base
    rows = Rollout.objects.filter(part).exclude(state__in=ENDED).select_related("endpoint").order_by("pk").distinct()
    sentence = _("rollout %(n)s at “%(slug)s” needs it: let it end, or abort it")
    return [
        Use(version_id, "rollout", str(row.pk), True, sentence % {"n": row.pk, "slug": row.endpoint.slug})
        for row in rows
        for version_id in _named(version_ids, [row.stable_id, row.candidate_id], row.base_split_id)
    ]


def _experiments(version_ids: list[int]) -> list[Use]:
    arms = ExperimentArm.objects.filter(version__in=version_ids).values("experiment")
    part = Q(pk__in=arms) | Q(base_split__shares__variant__version__in=version_ids)
    states = (Experiment.State.DRAFT, Experiment.State.RUNNING)
    rows = Experiment.objects.filter(part, state__in=states).select_related("endpoint").prefetch_related("arms")
    sentence = _("experiment “%(name)s” at “%(slug)s” needs it: conclude it first")
    return [
        Use(version_id, "experiment", str(row.pk), True, sentence % {"name": row.name, "slug": row.endpoint.slug})
        for row in rows.order_by("pk").distinct()
        for version_id in _named(version_ids, [arm.version_id for arm in row.arms.all()], row.base_split_id)
    ]


def _named(version_ids: list[int], directly: list[int], base_split_id: int) -> list[int]:
    """Which of the versions are named, or stand in the split that comes back at the end."""
    base = _shares_of([base_split_id], version_ids).values_list("variant__version_id", flat=True)
    return sorted({*directly, *base} & set(version_ids))


def _jobs(version_ids: list[int]) -> list[Use]:
    rows = BatchJob.objects.filter(version__in=version_ids, status__in=ACTIVE).order_by("created_at")
    sentence = _("job “%(name)s” runs on it: let it end, or cancel it")
    return [Use(row.version_id, "job", str(row.pk), False, sentence % {"name": row}) for row in rows]


def _replays(version_ids: list[int]) -> list[Use]:
    part = Q(stable__in=version_ids) | Q(candidate__in=version_ids)
    rows = ReplayRun.objects.filter(part, state__in=UNFINISHED).order_by("pk")
    sentence = _("replay %(n)s runs on it: let it end")
    return [
        Use(version_id, "replay", str(row.pk), False, sentence % {"n": row.pk})
        for row in rows
        for version_id in sorted({row.stable_id, row.candidate_id} & set(version_ids))
    ]
