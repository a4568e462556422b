"""Old runs go, what the record names stays, and what a lost message left out is asked for again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from inference.golden import upkeep
from inference.golden.running import run_golden
from inference.golden.upkeep import forget_old_runs, ring_for_missed
from inference.models import Endpoint, GoldenRequest, GoldenRun
from registry.access.principal import SYSTEM
from registry.models import ModelVersion, VersionStatus
from registry.services import audit
from tests import factories


def test_forget__more_than_are_kept__the_newest_and_those_in_the_record_stay(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "KEPT_RUNS", 2)
    version, other = (factories.version_of(endpoint, number) for number in (1, 2))
    runs = [factories.make_golden_run(version) for _ in range(5)]
    foreign = factories.make_golden_run(other)
    details = {"golden": [{"run": runs[1].pk, "version": version.pk, "n_requests": 1, "n_failed": 0}]}
    with transaction.atomic():
        project_id = endpoint.model.project_id
        audit.record(SYSTEM, "endpoint.promoted", endpoint, project_id=project_id, details=details)
    assert forget_old_runs(version) == 2
    kept = list(GoldenRun.objects.order_by("pk").values_list("pk", flat=True))
    assert kept == [run.pk for run in (runs[1], *runs[3:], foreign)]


def test_run__one_more_than_are_kept__the_oldest_goes(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "KEPT_RUNS", 1)
    version = factories.version_of(endpoint, 1)
    factories.make_golden_run(version)
    run = run_golden(version.pk, "asked")
    assert run is not None
    assert list(GoldenRun.objects.values_list("pk", flat=True)) == [run.pk]


def _ready(version: ModelVersion, ago: timedelta) -> ModelVersion:
    GoldenRequest.objects.update(created_at=timezone.now() - timedelta(days=9))
    ModelVersion.objects.filter(pk=version.pk).update(validated_at=timezone.now() - ago)
    return version


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    heard: list[tuple[Any, ...]] = []
    monkeypatch.setattr(upkeep, "ring", lambda *args, queue: heard.append((*args, queue)))
    return heard


def test_missed__ready_and_never_asked__rung_for_until_there_is_a_run(
    endpoint: Endpoint, golden: GoldenRequest, rung: list[tuple[Any, ...]]
) -> None:
    version = _ready(factories.version_of(endpoint, 2), timedelta(minutes=2))
    assert ring_for_missed() == 1
    assert rung == [("inference.tasks.run_golden", version.pk, "validation")]
    run_golden(version.pk, "validation")
    assert ring_for_missed() == 0


@pytest.mark.parametrize("why", ["just now", "long ago", "archived", "deleted", "before the request", "no request"])
def test_missed__nothing_was_lost__nobody_is_rung_for(
    endpoint: Endpoint, golden: GoldenRequest, rung: list[tuple[Any, ...]], why: str
) -> None:
    ago = {"just now": timedelta(seconds=5), "long ago": timedelta(days=2)}.get(why, timedelta(minutes=2))
    version = _ready(factories.version_of(endpoint, 2), ago)
    row = ModelVersion.objects.filter(pk=version.pk)
    if why == "archived":
        row.update(status=VersionStatus.ARCHIVED)
    elif why == "deleted":
        row.update(deleted_at=timezone.now())
    elif why == "before the request":
        GoldenRequest.objects.update(created_at=timezone.now())
    elif why == "no request":
        golden.delete()
    assert ring_for_missed() == 0
    assert rung == []
