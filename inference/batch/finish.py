"""Puts a job's output together in the order of its input, each part checked, and ends the job in one transaction."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from uuid import UUID

from inference.batch.claims import RENEW_SECONDS, is_drained, requeue_damaged_chunk
from inference.batch.context import writer_of
from inference.batch.doorbell import ring_chunks
from inference.batch.job_claims import change_ours, claim_job, end_job, renew_job
from inference.batch.layout import Layout
from inference.batch.parts import ClaimFile, DamagedPart, PartFolder, read_part
from inference.models import BatchChunk, BatchJob, JobStatus
from portal.lib.heartbeat import Heartbeat, LeaseLost
from registry.services.artifacts import job_store


def finish_job(job_id: UUID) -> None:
    if not is_drained(job_id):
        return
    job = claim_job(job_id, is_cut=True)
    if job is None:
        return
    claim = ClaimFile(PartFolder(job.pk).job_claim_file(job.token))
    try:
        with Heartbeat(RENEW_SECONDS) as heartbeat:
            heartbeat.watch(lambda: renew_job(job))
            output = job_store().receive(_output(job, heartbeat), limit=sys.maxsize)
            errors = job_store().receive(_errors(job, heartbeat), limit=sys.maxsize)
        found = {"output_sha256": output.sha256, "output_size": output.size, "errors_sha256": errors.sha256}
        end_job(job, _status(job), **found, **_error(job))
    except LeaseLost:
        pass
    except DamagedPart:
        change_ours(job, lease_expires_at=None)
        ring_chunks(job.pk, 1)
    except BaseException:
        change_ours(job, lease_expires_at=None)
        raise
    finally:
        claim.close()


def _status(job: BatchJob) -> JobStatus:
    if not job.n_failed:
        return JobStatus.SUCCEEDED
    return JobStatus.SUCCEEDED_WITH_ERRORS if job.n_done else JobStatus.FAILED


def _error(job: BatchJob) -> dict[str, str]:
    if job.n_done:
        return {}
    return {"error_code": "every_row_failed", "error_message": "Every row failed: see the list of failed rows."}


def _output(job: BatchJob, heartbeat: Heartbeat) -> Iterator[bytes]:
    """Raises DamagedPart once the chunk in question is queued again."""
    writer = writer_of(job, Layout.from_json(job.layout))
    yield writer.header(with_error=bool(job.n_failed))
    for chunk in _chunks(job):
        heartbeat.check()
        part = _part(chunk, "out", chunk.output_sha256)
        yield writer.with_error_column(part) if job.n_failed and not chunk.n_failed else part


def _errors(job: BatchJob, heartbeat: Heartbeat) -> Iterator[bytes]:
    for chunk in _chunks(job):
        heartbeat.check()
        if chunk.n_failed:
            yield _part(chunk, "bad", chunk.errors_sha256)


def _chunks(job: BatchJob) -> Iterator[BatchChunk]:
    return BatchChunk.objects.filter(job=job).order_by("first_row").iterator(500)


def _part(chunk: BatchChunk, kind: str, sha256: str) -> bytes:
    try:
        return read_part(PartFolder(chunk.job_id).part(chunk.first_row, chunk.token, kind), sha256)
    except DamagedPart:
        requeue_damaged_chunk(chunk)
        raise
