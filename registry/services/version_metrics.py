"""Keeps the rows by which the search compares metrics as the version's own metrics are."""

from __future__ import annotations

from registry.models import ModelVersion, VersionMetric


def write_metrics(version: ModelVersion) -> None:
    """Inside the transaction that has written `version.metrics`."""
    VersionMetric.objects.filter(version=version).delete()
    rows = [VersionMetric(version=version, name=name, value=value) for name, value in version.metrics.items()]
    VersionMetric.objects.bulk_create(rows)
