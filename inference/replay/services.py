"""Starting a replay, and giving up what nobody is at any more."""

from __future__ import annotations

from datetime import timedelta

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Endpoint, ReplayRun, TrafficShare
from inference.selectors.endpoints import version_of_endpoint
from portal.lib.errors import Conflict, InvalidInput
from portal.lib.texts import display_name
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, VersionStatus
from registry.services import audit
from registry.services.artifacts import job_store
from registry.services.doorbell import ring
from registry.services.receiving import take
from registry.services.usage import hold_ready

TASK = "inference.tasks.run_replay"
USUAL_WANTED, MOST_WANTED = 200, 10_000
USUAL_TOLERATED = 0.02
GRACE = timedelta(seconds=10)
# Longer than any run may take.
LOST_AFTER = timedelta(minutes=10)


def start_replay(
    principal: Principal,
    endpoint: Endpoint,
    candidate: int,
    *,
    n_wanted: int = USUAL_WANTED,
    tolerated: float = USUAL_TOLERATED,
    file: UploadedFile | None = None,
) -> ReplayRun:
    """Queues it: the newest `n_wanted` captured requests, or all lines of `file`. `tolerated` is a share of them.

    Raises InvalidInput (`unknown_version`, `same_version`), Conflict (`nothing_promoted`, `version_not_ready`) or
    TooLarge.
    """
    policy.require_endpoint(principal, "replay.run", endpoint.project_id, endpoint.slug)
    stable, other = stable_of(endpoint), version_of_endpoint(endpoint, candidate)
    _check(stable, other, n_wanted, tolerated)
    run = ReplayRun(
        endpoint=endpoint,
        stable=stable,
        candidate=other,
        source=ReplayRun.Source.FILE if file else ReplayRun.Source.CAPTURED,
        n_wanted=n_wanted,
        tolerated=tolerated,
        created_by_id=principal.user_id,
    )
    if file:
        run.file_sha256, run.file_name = take(job_store(), file).sha256, display_name(file.name or "")
    return _queue(principal, run)


def _queue(principal: Principal, run: ReplayRun) -> ReplayRun:
    details = {"stable": run.stable.number, "candidate": run.candidate.number, "source": str(run.source)}
    with transaction.atomic():
        hold_ready(run.candidate)
        run.save(force_insert=True)
        audit.record(principal, "replay.started", run, project_id=run.endpoint.project_id, details=details)
        transaction.on_commit(lambda: ring(TASK, run.pk, queue="batch"))
    return run


def stable_of(endpoint: Endpoint) -> ModelVersion:
    """The version with the largest share. Raises Conflict (`nothing_promoted`)."""
    shares = TrafficShare.objects.filter(split=endpoint.live_split_id).select_related("variant__version__model")
    largest = shares.order_by("-weight_bp", "id").first()
    if largest is None:
        sentence = _("Nothing is live at “%(slug)s” yet: promote a version to it first.")
        raise Conflict(sentence % {"slug": endpoint.slug}, code="nothing_promoted")
    return largest.variant.version


def _check(stable: ModelVersion, candidate: ModelVersion, n_wanted: int, tolerated: float) -> None:
    if candidate.pk == stable.pk:
        sentence = _("Version %(n)s is what is live: name another one to compare it with.") % {"n": stable.number}
        raise InvalidInput(sentence, code="same_version", details={"field": "candidate"})
    if candidate.status != VersionStatus.READY:
        sentence = _("Version %(n)s is %(status)s: a replay takes a version that is ready.")
        words = {"n": candidate.number, "status": candidate.get_status_display().lower()}
        raise Conflict(sentence % words, code="version_not_ready", details={"field": "candidate"})
    if not 1 <= n_wanted <= MOST_WANTED:
        sentence = _("Between 1 and %(n)s requests can be replayed.") % {"n": MOST_WANTED}
        raise InvalidInput(sentence, details={"field": "n_wanted"})
    if not 0 <= tolerated <= 1:
        sentence = _("What is tolerated is a share of the requests, from 0 to 1.")
        raise InvalidInput(sentence, details={"field": "tolerated"})


def reconcile_replays() -> None:
    """Rings again for what waits, and ends what its worker left behind."""
    now, runs = timezone.now(), ReplayRun.objects
    sentence = _("The worker that carried it out has died: start it again.")
    lost = runs.filter(state=ReplayRun.State.RUNNING, started_at__lt=now - LOST_AFTER)
    lost.update(state=ReplayRun.State.ERROR, sentence=sentence, ended_at=now)
    waiting = runs.filter(state=ReplayRun.State.QUEUED, created_at__lt=now - GRACE)
    for run_id in waiting.values_list("pk", flat=True):
        ring(TASK, run_id, queue="batch")
