"""Finds what waits with nobody at it, and rings again. Whatever died, whenever: within seconds a job goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from inference.batch.claims import requeue_lost_chunks
from inference.batch.doorbell import ring_chunks, ring_finish, ring_plan
from inference.batch.job_claims import fail_job, release_lost_job
from inference.batch.parts import PartFolder, parts_root
from inference.models import BatchChunk, BatchJob, JobStatus
from inference.models.batch import ACTIVE

LOCK = 0x736C6970_6A6F6273  # "slipjobs"
# A fresh job has a message on its way.
GRACE = timedelta(seconds=3)
MAX_PLANS = 6
Ring = Callable[[], None]


def reconcile() -> None:
    """One at a time in the whole installation; a second one returns at once."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return
        requeue_lost_chunks()
        rings = [ring for job in BatchJob.objects.filter(status__in=ACTIVE) if (ring := _what_is_due(job))]
    for ring in rings:
        ring()
    sweep_parts()


def _what_is_due(job: BatchJob) -> Ring | None:
    if job.created_at > timezone.now() - GRACE or not release_lost_job(job):
        return None
    if job.n_rows is None:
        return _plan_again(job)
    chunks = BatchChunk.objects.filter(job=job)
    n_queued = chunks.filter(status=BatchChunk.Status.QUEUED).count()
    if n_queued:
        n_running = chunks.filter(status=BatchChunk.Status.RUNNING).count()
        return None if n_running else lambda: ring_chunks(job.pk, n_queued)
    if chunks.filter(status=BatchChunk.Status.RUNNING).exists():
        return None
    return lambda: ring_finish(job.pk)


def _plan_again(job: BatchJob) -> Ring | None:
    if job.status == JobStatus.RUNNING and job.token >= MAX_PLANS:
        fail_job(job.pk, "not_readable", "The file could not be read to its end after several tries.")
        return None
    return lambda: ring_plan(job.pk)


def sweep_parts() -> int:
    """Removes the folders of jobs that have ended. A job's files of lost claims go with its folder."""
    removed = 0
    for path in parts_root().glob("*"):
        job_id = _job_id(path.name)
        if job_id and not BatchJob.objects.filter(pk=job_id, status__in=ACTIVE).exists():
            PartFolder(job_id).remove()
            removed += 1
    return removed


def _job_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
