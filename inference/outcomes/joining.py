"""Finds the prediction that an outcome is about, and what follows from both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from inference.models import Endpoint, Outcome, PredictionRecord
from inference.outcomes.truth import is_wrong

# What comes later than this after its prediction is shown, but is no evidence.
WINDOW = timedelta(days=7)
# How long an outcome waits for its prediction to be written down.
PATIENCE = timedelta(hours=24)
# An outcome without a prediction says nothing, and is kept for so long.
KEPT = timedelta(days=30)
BATCH = 1_000
JOINED_FIELDS = ["record", "is_wrong", "matures_at", "is_late"]


def newest_records(endpoint: Endpoint, request_ids: Iterable[str]) -> dict[str, PredictionRecord]:
    """Callers may use an id twice: the newest answer under it is meant."""
    rows = PredictionRecord.objects.filter(endpoint=endpoint, request_id__in=list(request_ids))
    newest = rows.order_by("request_id", "-pk").distinct("request_id").select_related("split__rollout")
    return {row.request_id: row for row in newest.defer("inputs", "outputs")}


def join(outcome: Outcome, record: PredictionRecord, now: datetime) -> None:
    """Sets what follows; saves nothing. Evidence that was taken stays what it was, only the verdict is shown anew.

    An outcome matures when it is joined, or, where its rollout asks to wait, when the attribution window is over.
    """
    outcome.record = record
    outcome.is_wrong = is_wrong(record.prediction, outcome.label)
    if outcome.taken is not None:
        return
    options = record.split.rollout.options if record.split and record.split.rollout else {}
    window = timedelta(seconds=options.get("attribution_seconds", WINDOW.total_seconds()))
    outcome.is_late = outcome.received_at > record.at + window
    outcome.matures_at = record.at + window if options.get("waits_for_attribution") else now


def join_waiting() -> int:
    """Joins outcomes of the last 24 hours whose prediction was written down after they came; says how many."""
    n_joined = 0
    while n := _join_some():
        n_joined += n
    return n_joined


@transaction.atomic
def _join_some() -> int:
    now = timezone.now()
    written = PredictionRecord.objects.filter(endpoint=OuterRef("endpoint"), request_id=OuterRef("request_id"))
    waiting = Outcome.objects.filter(Exists(written), record=None, received_at__gt=now - PATIENCE).order_by("pk")
    rows = list(waiting.select_related("endpoint").select_for_update(of=("self",), skip_locked=True)[:BATCH])
    by_endpoint: dict[Endpoint, list[Outcome]] = {}
    for row in rows:
        by_endpoint.setdefault(row.endpoint, []).append(row)
    for endpoint, outcomes in by_endpoint.items():
        records = newest_records(endpoint, [row.request_id for row in outcomes])
        for row in outcomes:
            join(row, records[row.request_id], now)
    Outcome.objects.bulk_update(rows, JOINED_FIELDS, batch_size=BATCH)
    return len(rows)


def forget_unjoined() -> int:
    """Deletes outcomes that have no prediction, or whose prediction was deleted by its age; says how many."""
    n_deleted, _by_model = Outcome.objects.filter(record=None, received_at__lt=timezone.now() - KEPT).delete()
    return n_deleted
