"""Cuts a job's file into chunks: one streaming pass, one transaction."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from inference.batch.claims import RENEW_SECONDS
from inference.batch.context import bare_layout, facts_of, writer_of
from inference.batch.doorbell import ring_chunks
from inference.batch.faults import BadFile
from inference.batch.job_claims import change_ours, claim_job, end_job, renew_job
from inference.batch.layout import Layout
from inference.batch.opening import open_jsonl, open_table
from inference.batch.parts import ClaimFile, PartFolder
from inference.batch.scan import Cut, cuts
from inference.batch.sizes import CHUNK_BYTES, chunk_rows
from inference.models import BatchChunk, BatchJob, JobStatus
from portal.lib.heartbeat import Heartbeat, LeaseLost
from registry.services.artifacts import job_store

AT_ONCE = 1000


def plan_job(job_id: UUID) -> None:
    job = claim_job(job_id, is_cut=False)
    if job is None:
        return
    claim = ClaimFile(PartFolder(job.pk).job_claim_file(job.token))
    try:
        with Heartbeat(RENEW_SECONDS) as heartbeat:
            heartbeat.watch(lambda: renew_job(job))
            layout, found = _cut(job, heartbeat)
        if _store(job, layout, found):
            ring_chunks(job.pk, len(found))
    except BadFile as error:
        end_job(job, JobStatus.FAILED, error_code=error.code, error_message=error.message)
    except LeaseLost:
        pass
    except BaseException:
        change_ours(job, lease_expires_at=None)
        raise
    finally:
        claim.close()


def _cut(job: BatchJob, heartbeat: Heartbeat) -> tuple[Layout, list[Cut]]:
    """Raises BadFile, or LeaseLost when the job was cancelled or taken over."""
    is_table = job.format == BatchJob.Format.CSV
    bare = bare_layout(job.version)
    with job_store().open(job.input_sha256) as file:
        opening = (open_table if is_table else open_jsonl)(file, bare)
        found = []
        for cut in cuts(
            file,
            start=opening.start,
            line=opening.line,
            delimiter=opening.layout.delimiter if is_table else None,
            max_rows=chunk_rows(writer_of(job, bare), facts_of(job.version)),
            max_bytes=CHUNK_BYTES,
        ):
            heartbeat.check()
            found.append(cut)
    if not found:
        raise BadFile("no_rows", "The file has a first line with names, but no rows.")
    return opening.layout, found


def _store(job: BatchJob, layout: Layout, found: list[Cut]) -> bool:
    with transaction.atomic():
        n_rows = sum(cut.n_rows for cut in found)
        if not change_ours(job, n_rows=n_rows, layout=layout.as_json(), lease_expires_at=None):
            return False
        BatchChunk.objects.bulk_create((BatchChunk(job=job, **cut._asdict()) for cut in found), batch_size=AT_ONCE)
    return True
