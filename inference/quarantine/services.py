"""Locking a version away that kills the process it runs in, and releasing it again.

Every step takes the version's row lock first, then the routing sequence, then the endpoints: many processes may report
deaths of one version at once, and it is locked away once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.switching import check_reason
from inference.models import Endpoint, Quarantine, SplitActivation
from inference.quarantine.deaths import as_json, deadly_run, in_words, note_death
from inference.quarantine.fallback import fall_back, settle_fall_back
from inference.routing.convergence import bump_sequence, wait_until_taken
from inference.runtime.deaths import Death
from inference.selectors.quarantines import counted_deaths, quarantines_now
from portal.lib.errors import Conflict
from registry.access import policy
from registry.access.principal import SYSTEM, Principal
from registry.models import ModelVersion, VersionStatus
from registry.notifications.services import notify
from registry.services import audit

log = structlog.get_logger(__name__)


def record_death(death: Death) -> None:
    """Writes a death down for every version with these bytes, and locks away the one that has died too often.

    Blocks for a moment, so call it off the request path. Calling it again for the same death changes nothing: a caller
    that met a DatabaseError just tries again.
    """
    ready = ModelVersion.objects.filter(sha256=death.sha256, status=VersionStatus.READY)
    for version_id in ready.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            version = _locked(version_id)
            if version is None:
                continue
            run = deadly_run(version, note_death(version, death))
            if run:
                quarantine(version, _reason(len(run), in_words(run)))


def _locked(version_id: int) -> ModelVersion | None:
    """Not against those who only refer to the version, such as a new split or a window of counts."""
    locked = ModelVersion.objects.select_for_update(no_key=True, of=("self",)).select_related("model")
    return locked.filter(pk=version_id).first()


def _reason(count: int, ways: str) -> str:
    minutes = max(1, round(settings.PORTAL_QUARANTINE_SECONDS / 60))
    return f"It killed its process {count} times within {minutes} min: {ways}."


def quarantine(version: ModelVersion, reason: str) -> Quarantine:
    """Locks the version away in one transaction with the fall back of its endpoints; if it is so already, nothing."""
    with transaction.atomic():
        _locked(version.pk)
        row, made = Quarantine.objects.get_or_create(
            version=version, released_at=None, defaults={"reason": reason, "created_at": timezone.now()}
        )
        if made:
            sequence = _publish(version)
            details = {"deaths": as_json(counted_deaths().filter(version=version))}
            audit.record(
                SYSTEM,
                "version.quarantined",
                version,
                project_id=version.model.project_id,
                reason=reason,
                details=details,
            )
            body = {"model": version.model.name, "version": version.number, "reason": reason}
            notify(version.model.project_id, "version.quarantined", str(version), body)
            moved = fall_back(version, f"Version {version.number} is quarantined. {reason}", sequence)
            transaction.on_commit(partial(_announce, row, moved, sequence), robust=True)
    return row


def _publish(version: ModelVersion) -> int:
    """A new sequence number for all endpoints of the model: callers may pin any version at any of them."""
    sequence = bump_sequence()
    Endpoint.objects.filter(model_id=version.model_id, deleted_at=None).update(changed_sequence=sequence)
    return sequence


def _announce(row: Quarantine, moved: Sequence[SplitActivation], sequence: int) -> None:
    slugs = [activation.endpoint.slug for activation in moved]
    log.error("version_quarantined", version=str(row.version), reason=row.reason, fell_back=slugs)
    if moved:
        settle_fall_back(moved, sequence)


def release(principal: Principal, version: ModelVersion, reason: str) -> Quarantine:
    """The version may be loaded and take traffic again; no traffic moves. What it did before counts no longer."""
    policy.require(principal, "version.release", version.model.project_id)
    check_reason(reason)
    with transaction.atomic():
        _locked(version.pk)
        row = quarantines_now().filter(version=version).first()
        if row is None:
            raise Conflict(
                _("Version %(number)s is not quarantined: there is nothing to release.") % {"number": version.number},
                code="not_quarantined",
                details={"version": version.number},
            )
        row.released_at, row.released_by_id, row.release_reason = timezone.now(), principal.user_id, reason
        row.save(update_fields=["released_at", "released_by", "release_reason"])
        sequence = _publish(version)
        details = {"quarantined_at": row.created_at.isoformat(), "why": row.reason}
        audit.record(
            principal,
            "version.released",
            version,
            project_id=version.model.project_id,
            reason=reason,
            details=details,
        )
    wait_until_taken(sequence)
    return row
