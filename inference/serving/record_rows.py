"""Captured answers and disagreements as rows: written many at once, and forgotten when they are old or too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from inference.models import Disagreement, Endpoint, PredictionRecord, Rollout, TrafficSplit
from registry.models import ModelVersion

MOST_PER_ROLLOUT = 500
KEPT_FOR, MOST_KEPT = timedelta(days=30), 100_000
DELETED_AT_ONCE = 5_000
M = TypeVar("M", bound=Model)


def write_captured(rows: Sequence[PredictionRecord]) -> int:
    """How many were written: those of what was deleted meanwhile are left out. Raises DatabaseError."""
    return _insert(rows, _of_what_exists)


def write_disagreements(rows: Sequence[Disagreement]) -> tuple[int, set[int]]:
    """How many were written, and the rollouts that have all they may have. Raises DatabaseError.

    All processes together keep `MOST_PER_ROLLOUT` of a rollout, give or take what two of them write at once.
    """
    kept: list[Disagreement] = []
    full: set[int] = set()
    for rollout_id, n_new in Counter(row.rollout_id for row in rows).items():
        room = max(0, MOST_PER_ROLLOUT - Disagreement.objects.filter(rollout=rollout_id).count())
        kept += [row for row in rows if row.rollout_id == rollout_id][:room]
        if room <= n_new:
            full.add(rollout_id)
    return _insert(kept, _of_living_rollouts), full


def _insert(rows: Sequence[M], of_what_exists: Callable[[Sequence[M]], list[M]]) -> int:
    try:
        return _create(rows)
    except IntegrityError:
        return _create(of_what_exists(rows))


def _create(rows: Sequence[M]) -> int:
    if rows:
        with transaction.atomic():
            type(rows[0])._default_manager.bulk_create(rows)
    return len(rows)


def _of_what_exists(rows: Sequence[PredictionRecord]) -> list[PredictionRecord]:
    endpoints = _existing(Endpoint.objects.all(), (row.endpoint_id for row in rows))
    versions = _existing(ModelVersion.objects.all(), (row.version_id for row in rows))
    splits = _existing(TrafficSplit.objects.all(), (row.split_id for row in rows))
    found = [row for row in rows if row.endpoint_id in endpoints and row.version_id in versions]
    for row in found:
        row.split_id = row.split_id if row.split_id in splits else None
    return found


def _of_living_rollouts(rows: Sequence[Disagreement]) -> list[Disagreement]:
    rollouts = _existing(Rollout.objects.all(), (row.rollout_id for row in rows))
    return [row for row in rows if row.rollout_id in rollouts]


def _existing(rows: QuerySet[Any], ids: Iterable[int | None]) -> set[int]:
    return set(rows.filter(pk__in={pk for pk in ids if pk is not None}).values_list("pk", flat=True))


# --- upkeep -----------------------------------------------------------------------------------------------------------


def forget_old_records() -> int:
    """Deletes captured answers older than thirty days, and of each endpoint all but the newest hundred thousand.

    For a worker; it may run twice at once. Returns how many rows are gone.
    """
    n_gone = _delete(PredictionRecord.objects.filter(at__lt=timezone.now() - KEPT_FOR))
    for endpoint_id in PredictionRecord.objects.order_by().values_list("endpoint", flat=True).distinct():
        of_endpoint = PredictionRecord.objects.filter(endpoint=endpoint_id)
        first_over = of_endpoint.order_by("-pk").values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + 1].first()
        if first_over is not None:
            n_gone += _delete(of_endpoint.filter(pk__lte=first_over))
    return n_gone


def _delete(rows: QuerySet[PredictionRecord]) -> int:
    """In pieces, so that no statement takes long."""
    n_gone = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        PredictionRecord.objects.filter(pk__in=ids).delete()
        n_gone += len(ids)
    return n_gone
