"""Who may cut a job's file or put its output together, and how a job ends."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from inference.batch.claims import LEASE
from inference.batch.parts import PartFolder, is_abandoned
from inference.models import BatchJob, JobStatus
from inference.models.batch import ACTIVE
from registry.access.principal import SYSTEM
from registry.services import audit


def claim_job(job_id: UUID, *, is_cut: bool) -> BatchJob | None:
    """The job, ours to cut or (`is_cut`) to finish; None if somebody is at it or there is nothing to do."""
    now = timezone.now()
    free = BatchJob.objects.filter(pk=job_id, status__in=ACTIVE, n_rows__isnull=not is_cut).filter(
        Q(lease_expires_at=None) | Q(lease_expires_at__lte=now)
    )
    with transaction.atomic():
        job = free.select_for_update(skip_locked=True).first()
        if job is not None:
            job.status, job.token, job.lease_expires_at = JobStatus.RUNNING, job.token + 1, now + LEASE
            job.started_at = job.started_at or now
            job.save(update_fields=["status", "token", "lease_expires_at", "started_at"])
        return job


def renew_job(job: BatchJob) -> bool:
    return change_ours(job, lease_expires_at=timezone.now() + LEASE)


def change_ours(job: BatchJob, **values: Any) -> bool:
    """False once somebody else holds the job, or it has ended."""
    ours = BatchJob.objects.filter(pk=job.pk, token=job.token, status=JobStatus.RUNNING)
    return bool(ours.update(**values))


def release_lost_job(job: BatchJob) -> bool:
    """Frees a job whose planner or finisher died. True if the job is free now."""
    claim_file = PartFolder(job.pk).job_claim_file(job.token)
    if job.lease_expires_at is None or job.lease_expires_at <= timezone.now():
        return True
    if not is_abandoned(claim_file) or not change_ours(job, lease_expires_at=None):
        return False
    claim_file.unlink(missing_ok=True)
    return True


def end_job(job: BatchJob, status: JobStatus, **values: Any) -> bool:
    """By whoever holds the job. False if that is somebody else by now."""
    with transaction.atomic():
        if not change_ours(job, status=status, lease_expires_at=None, finished_at=timezone.now(), **values):
            return False
        job.refresh_from_db()
        _record(job)
    PartFolder(job.pk).remove()
    return True


def fail_job(job_id: UUID, code: str, message: str) -> bool:
    """Whoever holds what: the job cannot be done. Workers notice at their next block."""
    with transaction.atomic():
        active = BatchJob.objects.filter(pk=job_id, status__in=ACTIVE)
        ended = active.update(
            status=JobStatus.FAILED,
            error_code=code,
            error_message=message,
            token=F("token") + 1,
            lease_expires_at=None,
            finished_at=timezone.now(),
        )
        if ended:
            _record(BatchJob.objects.get(pk=job_id))
    return bool(ended)


def _record(job: BatchJob) -> None:
    details = {"status": job.status, "n_rows": job.n_rows, "n_done": job.n_done, "n_failed": job.n_failed}
    if job.error_code:
        details["error"] = job.error_code
    audit.record(SYSTEM, "job.finished", job, project_id=job.project_id, details=details)
