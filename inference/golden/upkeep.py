"""What time brings: runs that nobody needs any more are forgotten, those that nobody was told of are asked for."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from inference.golden.asking import TASK
from inference.models import GoldenRequest, GoldenRun
from inference.selectors.golden import runs_in_the_record
from registry.models import ModelVersion, VersionStatus
from registry.services.doorbell import ring

KEPT_RUNS = 50
# The first message has its time. Who became ready longer ago is asked before traffic moves anyway.
FIRST, LAST = timedelta(minutes=1), timedelta(days=1)
MOST_AT_ONCE = 50


def forget_old_runs(version: ModelVersion) -> int:
    """All but the newest, and those that the record names as the reason why traffic moved. How many went."""
    old = set(GoldenRun.objects.filter(version=version).values_list("pk", flat=True)[KEPT_RUNS:])
    if old:
        old -= runs_in_the_record(version.model.project_id)
    return GoldenRun.objects.filter(pk__in=old).delete()[0] if old else 0


def ring_for_missed() -> int:
    """For versions that became ready lately and were never asked, as after an outage of the broker. How many."""
    missed = list(_missed()[:MOST_AT_ONCE])
    for version in missed:
        ring(TASK, version.pk, queue="validation")
    return len(missed)


def _missed() -> QuerySet[ModelVersion]:
    now = timezone.now()
    requests = GoldenRequest.objects.filter(model=OuterRef("model"), created_at__lt=OuterRef("validated_at"))
    runs = GoldenRun.objects.filter(version=OuterRef("pk"))
    lately = ModelVersion.objects.filter(
        status=VersionStatus.READY, deleted_at=None, validated_at__range=(now - LAST, now - FIRST)
    )
    return lately.filter(Exists(requests), ~Exists(runs)).order_by("pk")
