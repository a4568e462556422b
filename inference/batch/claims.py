"""Who may compute which chunk. Each change is one conditional UPDATE whose row count decides; the loser stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from inference.batch.parts import PartFolder, is_abandoned, last_range
from inference.models import BatchChunk, BatchJob, JobStatus

LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
Status = BatchChunk.Status


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a chunk's first `n_rows` rows; `rest_start` and `rest_line` say where the others begin."""

    n_rows: int
    n_failed: int
    output_sha256: str
    errors_sha256: str
    rest_start: int = 0
    rest_line: int = 0


def claim_chunk(job_id: UUID) -> BatchChunk | None:
    """The first chunk that nobody computes, now ours for `LEASE`. While queued, the lease says "not before"."""
    now = timezone.now()
    with transaction.atomic():
        chunk = (
            BatchChunk.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(job_id=job_id, job__status=JobStatus.RUNNING, status=Status.QUEUED)
            .filter(Q(lease_expires_at=None) | Q(lease_expires_at__lte=now))
            .order_by("first_row")
            .first()
        )
        if chunk is not None:
            chunk.status, chunk.token, chunk.tries = Status.RUNNING, chunk.token + 1, chunk.tries + 1
            chunk.lease_expires_at = now + LEASE
            chunk.save(update_fields=["status", "token", "tries", "lease_expires_at"])
        return chunk


def renew_chunk(chunk: BatchChunk) -> bool:
    """False once the chunk is no longer ours, or its job no longer runs."""
    ours = _ours(chunk).filter(job__status=JobStatus.RUNNING)
    return bool(ours.update(lease_expires_at=timezone.now() + LEASE))


def deliver(chunk: BatchChunk, delivery: Delivery) -> bool:
    """Done, counted once, the rest queued as its own chunk: all or nothing. False if the chunk is no longer ours."""
    with transaction.atomic():
        kept = _ours(chunk).update(
            status=Status.DONE,
            n_rows=delivery.n_rows,
            n_failed=delivery.n_failed,
            output_sha256=delivery.output_sha256,
            errors_sha256=delivery.errors_sha256,
            end=delivery.rest_start or chunk.end,
            lease_expires_at=None,
            finished_at=timezone.now(),
        )
        if not kept or not _count(chunk.job_id, delivery.n_rows - delivery.n_failed, delivery.n_failed):
            transaction.set_rollback(True)
            return False
        if delivery.n_rows < chunk.n_rows:
            _queue_rest(chunk, delivery)
    return True


def release_chunk(chunk: BatchChunk, delay: timedelta) -> None:
    """Something that is not the chunk's fault went wrong: let it be claimed again after a while."""
    _ours(chunk).update(status=Status.QUEUED, lease_expires_at=timezone.now() + delay)


def requeue_lost_chunks(job_id: UUID | None = None) -> int:
    """Frees what dead or stuck workers hold, and notes the rows that were being computed."""
    running = BatchChunk.objects.filter(status=Status.RUNNING, job__status=JobStatus.RUNNING)
    if job_id is not None:
        running = running.filter(job_id=job_id)
    return sum(_requeue_if_lost(chunk) for chunk in running)


def requeue_damaged_chunk(chunk: BatchChunk) -> None:
    """Its part is gone: compute it again. Counts it out first, once."""
    with transaction.atomic():
        again = BatchChunk.objects.filter(pk=chunk.pk, token=chunk.token, status=Status.DONE)
        if again.update(status=Status.QUEUED, output_sha256="", errors_sha256="", finished_at=None, n_failed=0):
            _count(chunk.job_id, chunk.n_failed - chunk.n_rows, -chunk.n_failed)


def is_drained(job_id: UUID) -> bool:
    return not BatchChunk.objects.filter(job_id=job_id).exclude(status=Status.DONE).exists()


def _ours(chunk: BatchChunk) -> QuerySet[BatchChunk]:
    return BatchChunk.objects.filter(pk=chunk.pk, token=chunk.token, status=Status.RUNNING)


def _count(job_id: UUID, n_done: int, n_failed: int) -> bool:
    running = BatchJob.objects.filter(pk=job_id, status=JobStatus.RUNNING)
    return bool(running.update(n_done=F("n_done") + n_done, n_failed=F("n_failed") + n_failed))


def _queue_rest(chunk: BatchChunk, delivery: Delivery) -> None:
    """The rest begins anew, but keeps what is known of rows that kill their worker."""
    moved = [[death[0] - delivery.n_rows, death[1] - delivery.n_rows] for death in chunk.deaths]
    BatchChunk.objects.create(
        job_id=chunk.job_id,
        first_row=chunk.first_row + delivery.n_rows,
        n_rows=chunk.n_rows - delivery.n_rows,
        start=delivery.rest_start,
        end=chunk.end,
        first_line=delivery.rest_line,
        deaths=[[max(0, begin), end] for begin, end in moved if end > 0],
    )


def _requeue_if_lost(chunk: BatchChunk) -> bool:
    claim_file = PartFolder(chunk.job_id).claim_file(chunk.first_row, chunk.token)
    expired = chunk.lease_expires_at is None or chunk.lease_expires_at <= timezone.now()
    if not expired and not is_abandoned(claim_file):
        return False
    in_hand = last_range(claim_file)
    deaths = [*chunk.deaths, list(in_hand)] if in_hand else chunk.deaths
    freed = bool(_ours(chunk).update(status=Status.QUEUED, lease_expires_at=None, deaths=deaths))
    if freed:
        claim_file.unlink(missing_ok=True)
    return freed
