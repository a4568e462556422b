"""Captured answers and rollouts as rows, for outcomes to be about."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from inference.models import Endpoint, Experiment, ExposedUnit, PredictionRecord, Rollout, TrafficSplit
from tests import factories


def keep_record(
    endpoint: Endpoint, request_id: str, prediction: Any = 1, *, split: TrafficSplit | None = None, **facts: Any
) -> PredictionRecord:
    """An answer of version 1 as `stable`, a second ago, unless said otherwise."""
    usual = {"version": factories.version_of(endpoint, 1), "variant": "stable", "at": ago(seconds=1)}
    return PredictionRecord.objects.create(
        endpoint=endpoint, request_id=request_id, prediction=prediction, split=split, **{**usual, **facts}
    )


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def make_rollout(endpoint: Endpoint, **options: Any) -> Rollout:
    """From version 1 to version 2, with its first split."""
    assert endpoint.live_split is not None
    rollout = Rollout.objects.create(
        endpoint=endpoint,
        stable=factories.version_of(endpoint, 1),
        candidate=factories.version_of(endpoint, 2),
        preset="canary",
        options=options,
        base_split=endpoint.live_split,
        epoch=endpoint.epoch,
        state="canary",
    )
    add_split(endpoint, rollout=rollout)
    return rollout


def add_split(endpoint: Endpoint, **facts: Any) -> TrafficSplit:
    revision = 1 + max(endpoint.splits.values_list("revision", flat=True))
    return TrafficSplit.objects.create(endpoint=endpoint, revision=revision, table=[[0, 10_000, "stable"]], **facts)


def make_experiment(endpoint: Endpoint, metric: str) -> Experiment:
    """With a split, and the keys 1 at `stable` and 2 at `other`."""
    assert endpoint.live_split is not None
    experiment = Experiment.objects.create(
        endpoint=endpoint,
        name="which",
        hypothesis="it pays",
        metric=metric,
        direction="increase",
        min_effect=0.1,
        planned_size=100,
        base_split=endpoint.live_split,
        state="running",
        seq=3,
    )
    add_split(endpoint, experiment=experiment)
    for unit, variant in ((1, "stable"), (2, "other")):
        ExposedUnit.objects.create(experiment=experiment, unit=unit, variant=variant, first_at=ago(minutes=1), n=1)
    return experiment
