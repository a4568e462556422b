"""A worker's turn at a job: claim a chunk, compute it, deliver it, until nothing is left or the turn is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import monotonic
from uuid import UUID

import orjson
import structlog

from inference.batch.claims import (
    RENEW_SECONDS,
    Delivery,
    claim_chunk,
    deliver,
    is_drained,
    release_chunk,
    renew_chunk,
)
from inference.batch.context import facts_of, travels_of, writer_of
from inference.batch.doorbell import ring_chunks, ring_finish
from inference.batch.faults import BadRow
from inference.batch.job_claims import fail_job
from inference.batch.layout import Layout
from inference.batch.parsed import Parsed
from inference.batch.parts import ClaimFile, PartFolder, write_part
from inference.batch.prepared import Prepared
from inference.batch.read_csv import read_csv
from inference.batch.read_jsonl import read_jsonl
from inference.batch.runner import Runner, Scored
from inference.batch.scan import place_of_row
from inference.batch.sizes import block_rows
from inference.models import BatchChunk, BatchJob, JobStatus
from inference.routing.snapshot import version_ref
from inference.selectors.signatures import signature_of
from inference.serving.sessions import load_version
from portal.lib.errors import PortalError
from portal.lib.heartbeat import Heartbeat, LeaseLost
from registry.services.artifacts import job_store

log = structlog.get_logger(__name__)
# A turn ends so that other jobs and validations get theirs; a chunk that takes longer is delivered in pieces.
TURN_SECONDS = 10.0
CHUNK_SECONDS = 10.0
BACK_OFF = timedelta(seconds=5)
# Tries that ended in an error of the installation, say a full disk, beside those that killed their worker.
MAX_TRIES = 10


def work_on(job_id: UUID, *, turn_seconds: float = TURN_SECONDS) -> None:
    job = BatchJob.objects.select_related("version").filter(pk=job_id, status=JobStatus.RUNNING).first()
    if job is None or job.n_rows is None:
        return
    end_at = monotonic() + turn_seconds
    with Heartbeat(RENEW_SECONDS) as heartbeat:
        while monotonic() < end_at:
            chunk = claim_chunk(job.pk)
            if chunk is None:
                break
            compute_chunk(job, chunk, heartbeat)
        else:
            ring_chunks(job.pk, 1)
    if is_drained(job.pk):
        ring_finish(job.pk)


def compute_chunk(job: BatchJob, chunk: BatchChunk, heartbeat: Heartbeat) -> bool:
    """True if the chunk is done by our hand."""
    claim = ClaimFile(PartFolder(job.pk).claim_file(chunk.first_row, chunk.token))
    heartbeat.watch(lambda: renew_chunk(chunk))
    try:
        scored, data = _score(job, chunk, claim, heartbeat)
        claim.at(0, 0)
        return _deliver(job, chunk, scored, data)
    except LeaseLost:
        return False
    except Exception as error:
        _give_back(chunk, error)
        return False
    finally:
        heartbeat.rest()
        claim.close()


def _score(job: BatchJob, chunk: BatchChunk, claim: ClaimFile, heartbeat: Heartbeat) -> tuple[Scored, bytes]:
    layout = Layout.from_json(job.layout)

    def enter(begin: int, end: int) -> None:
        heartbeat.check()
        claim.at(begin, end)

    # In this process even where serving would isolate it: a worker may die, and what killed it is found by halves.
    session = load_version(replace(version_ref(job.version), isolated=False))
    runner = Runner(
        Prepared(session, signature_of(job.version), travels_of(job.version)),
        layout,
        writer_of(job, layout),
        block_rows(layout, facts_of(job.version)),
        enter,
        chunk.deaths,
        monotonic() + CHUNK_SECONDS,
    )
    data = _read(job, chunk)
    return runner.score(_parse(job, chunk, layout, data)), data


def _read(job: BatchJob, chunk: BatchChunk) -> bytes:
    with job_store().open(job.input_sha256) as file:
        file.seek(chunk.start)
        return file.read(chunk.end - chunk.start)


def _parse(job: BatchJob, chunk: BatchChunk, layout: Layout, data: bytes) -> Parsed:
    read = read_csv if job.format == BatchJob.Format.CSV else read_jsonl
    parsed = read(data, layout, chunk.n_rows, chunk.first_line)
    if len(parsed.lines) != chunk.n_rows:
        raise RuntimeError(f"{len(parsed.lines)} rows where {chunk.n_rows} were cut")
    return parsed


def _deliver(job: BatchJob, chunk: BatchChunk, scored: Scored, data: bytes) -> bool:
    folder = PartFolder(job.pk)
    output = folder.part(chunk.first_row, chunk.token, "out")
    errors = folder.part(chunk.first_row, chunk.token, "bad")
    rest_start, rest_line = _rest(job, chunk, scored, data)
    delivery = Delivery(
        scored.n_rows,
        len(scored.bad),
        write_part(output, scored.output()),
        write_part(errors, _error_lines(chunk, scored.bad)) if scored.bad else "",
        rest_start,
        rest_line,
    )
    delivered = deliver(chunk, delivery)
    if not delivered:
        output.unlink(missing_ok=True)
        errors.unlink(missing_ok=True)
    return delivered


def _rest(job: BatchJob, chunk: BatchChunk, scored: Scored, data: bytes) -> tuple[int, int]:
    if scored.n_rows == chunk.n_rows:
        return 0, 0
    delimiter = job.layout["delimiter"] if job.format == BatchJob.Format.CSV else None
    offset, line = place_of_row(data, scored.n_rows, chunk.first_line, delimiter)
    return chunk.start + offset, line


def _error_lines(chunk: BatchChunk, bad: list[BadRow]) -> bytes:
    """Rows count from 1 here, for people."""
    return b"".join(
        orjson.dumps({"row": chunk.first_row + row.row + 1, "line": row.line, "code": row.code, "reason": row.reason})
        + b"\n"
        for row in bad
    )


def _give_back(chunk: BatchChunk, error: Exception) -> None:
    if not renew_chunk(chunk):
        return
    log.exception("chunk_not_computed", job_id=str(chunk.job_id), first_row=chunk.first_row, tries=chunk.tries)
    if chunk.tries - len(chunk.deaths) < MAX_TRIES:
        release_chunk(chunk, BACK_OFF)
    elif isinstance(error, PortalError):
        fail_job(chunk.job_id, error.code, error.message)
    else:
        fail_job(chunk.job_id, "not_computable", "A part of the file could not be computed after several tries.")
