"""Who works at a version: one run at a time, which says that it lives, and whose work is taken over when it died.

Versions in `receiving` are unpacked, those in `validating` validated; both are claimed in the same way. A run is known
by the number of its try: what a former one says late does not count.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from registry.models import ModelVersion, RegisteredModel, VersionStatus

# Whoever works says so every few seconds; after this long a silence its worker is dead.
LOST_AFTER = timedelta(seconds=20)
ALIVE_EVERY_SECONDS = 4.0
MAX_TRIES = 3
# What is younger has its message still under way.
FRESH = timedelta(seconds=5)
AT_ONCE = 100
IN_THE_WAY = (VersionStatus.RECEIVING, VersionStatus.VALIDATING, VersionStatus.READY)


def claim(version_id: int, status: VersionStatus, steps: list[dict[str, Any]]) -> ModelVersion | None:
    """The version for one run; None when another run has it, or it is not in `status` any more."""
    now = timezone.now()
    free = ModelVersion.objects.filter(pk=version_id, status=status).filter(
        Q(validation_alive_at=None) | Q(validation_alive_at__lt=now - LOST_AFTER)
    )
    claimed = free.update(validation_alive_at=now, validation_tries=F("validation_tries") + 1, steps=steps)
    return ModelVersion.objects.select_related("model__project").get(pk=version_id) if claimed else None


def ours(version: ModelVersion) -> QuerySet[ModelVersion]:
    """The row of a version that was claimed, as long as this run has it; else none."""
    return ModelVersion.objects.filter(pk=version.pk, status=version.status, validation_tries=version.validation_tries)


def renew(version: ModelVersion) -> bool:
    """Says that this run is alive; False once it is over, or another run has it."""
    return bool(ours(version).update(validation_alive_at=timezone.now()))


def give_back(version: ModelVersion) -> None:
    """For a run that could not begin: the try does not count, and the next one comes when this one counts as lost."""
    ours(version).update(validation_tries=F("validation_tries") - 1)


def lost(status: VersionStatus) -> list[int]:
    """Versions whose message or worker was lost: the ids to ring for again."""
    now = timezone.now()
    waiting = Q(validation_alive_at=None, created_at__lt=now - FRESH) | Q(validation_alive_at__lt=now - LOST_AFTER)
    rows = ModelVersion.objects.filter(waiting, status=status, deleted_at=None)
    return list(rows.values_list("pk", flat=True)[:AT_ONCE])


def number_of_same(model: RegisteredModel, sha256: str) -> int | None:
    """The version of a model that stands in the way of another one with these bytes."""
    same = ModelVersion.objects.filter(model=model, sha256=sha256, deleted_at=None, status__in=IN_THE_WAY)
    return same.values_list("number", flat=True).first()
