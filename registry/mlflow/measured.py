"""The last value of each metric, which is all that MLflow shows of a run."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from registry.models import LoggedModel, TrackingMetric


def last_metrics(run_ids: Iterable[str]) -> dict[str, list[TrackingMetric]]:
    """By run: one row per key, that of the highest step, by key."""
    rows = TrackingMetric.objects.filter(run__in=list(run_ids))
    newest = rows.order_by("run_id", "key", "-step", "-timestamp", "-pk").distinct("run_id", "key")
    found: dict[str, list[TrackingMetric]] = {}
    for row in newest:
        found.setdefault(row.run_id, []).append(row)
    return found


def metrics_of_models(model_ids: Iterable[str]) -> dict[str, list[TrackingMetric]]:
    """The same by logged model. What runs of another project say of it counts nothing."""
    own = LoggedModel.objects.filter(pk=OuterRef("model_id"), experiment__project=OuterRef("run__experiment__project"))
    rows = TrackingMetric.objects.filter(Exists(own), model_id__in=list(model_ids))
    found: dict[str, list[TrackingMetric]] = {}
    for row in rows.order_by("model_id", "key", "-step", "-timestamp", "-pk").distinct("model_id", "key"):
        found.setdefault(row.model_id, []).append(row)
    return found
