"""Faults that need no statistics: the candidate cannot go on, whatever share of the answers it spoilt so far."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from inference.models import Endpoint, EvidenceWindow, Rollout, RuntimeDeath, ServingProcess
from inference.selectors.quarantines import quarantined_among
from registry.models import VersionStatus

TIMEOUTS_IN_A_ROW = 3


def hard_fault(rollout: Rollout, windows: Iterable[EvidenceWindow]) -> str:
    """One sentence, or nothing. `windows` are those that came since the last look."""
    return _of_version(rollout) or _of_answers(windows) or _of_traffic(rollout)


def _of_version(rollout: Rollout) -> str:
    number, pk = rollout.candidate.number, rollout.candidate_id
    if quarantined_among({pk: number}):
        return _("Version %(n)s is quarantined because it killed its process.") % {"n": number}
    if rollout.candidate.status != VersionStatus.READY:
        return _("Version %(n)s is not ready any more.") % {"n": number}
    deaths = RuntimeDeath.objects.filter(version=pk, at__gte=rollout.started_at or rollout.created_at)
    if deaths.exists():
        return _("Version %(n)s killed the process it ran in.") % {"n": number}
    serving = ServingProcess.objects.filter(lease_expires_at__gt=Now(), failures__has_key=str(pk))
    if serving.exists():
        return _("Version %(n)s cannot be loaded by every process.") % {"n": number}
    return ""


def _of_answers(windows: Iterable[EvidenceWindow]) -> str:
    for window in windows:
        if window.variant != "canary":
            continue
        if window.details.get("contract"):
            return _("The candidate's answers break its own signature.")
        if window.details.get("timeouts_in_row", 0) >= TIMEOUTS_IN_A_ROW:
            return _("The candidate ran out of time %(n)s times in a row.") % {"n": TIMEOUTS_IN_A_ROW}
    return ""


def _of_traffic(rollout: Rollout) -> str:
    endpoint = Endpoint.objects.only("epoch", "deleted_at").get(pk=rollout.endpoint_id)
    if endpoint.deleted_at is not None:
        return _("The endpoint was deleted.")
    if endpoint.epoch != rollout.epoch:
        return _("The traffic was moved by somebody else: it stays as it is.")
    return ""
