"""Before traffic moves, every serving process loads the versions, or says why it cannot while nothing has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import WarmRequest
from inference.routing.convergence import bump_sequence, wait_until_taken
from portal.lib.errors import Conflict, Unavailable
from registry.models import ModelVersion, VersionStatus
from registry.services.doorbell import ring

KEEP_FOR = timedelta(minutes=10)


def load_everywhere(versions: Sequence[ModelVersion]) -> None:
    """Returns when all have loaded them. Raises Unavailable with the reason of the first process that could not."""
    with transaction.atomic():
        sequence = bump_sequence()
        _check_there(versions)
        WarmRequest.objects.bulk_create(WarmRequest(version=version, sequence=sequence) for version in versions)
    state = wait_until_taken(sequence)
    failed = {str(version.pk): version.number for version in versions if str(version.pk) in state.failures}
    for key, number in failed.items():
        raise Unavailable(
            _("Version %(number)s could not be loaded for serving: %(why)s Traffic was not changed.")
            % {"number": number, "why": state.failures[key]},
            code="version_not_loadable",
            details={"version": number},
            retry_after=30,
        )
    if not state.complete:
        raise Unavailable(
            _("Only %(n)s of %(all)s processes have loaded the version in time. Traffic was not changed: try again.")
            % {"n": state.acknowledged, "all": state.processes},
            code="warming_timed_out",
            details={"converged": state.as_json()},
            retry_after=10,
        )
    _have_optimized(versions)


def _check_there(versions: Sequence[ModelVersion]) -> None:
    """Under the sequence's lock, which whoever takes a version away holds too; from here on it counts as in use."""
    taken = ModelVersion.objects.filter(pk__in=[version.pk for version in versions]).exclude(status=VersionStatus.READY)
    for version in taken[:1]:
        raise Conflict(
            _("Version %(number)s is %(status)s: only a ready version can take traffic.")
            % {"number": version.number, "status": version.get_status_display().lower()},
            code="version_not_ready",
            details={"version": version.number, "status": version.status},
        )


def _have_optimized(versions: Sequence[ModelVersion]) -> None:
    """In a worker, at leisure: what takes traffic now will be loaded again after a restart."""
    for version in versions:
        ring("inference.tasks.optimize_version", version.pk)


def forget_old_requests() -> None:
    WarmRequest.objects.filter(created_at__lt=timezone.now() - KEEP_FOR).delete()
