"""Questions about batch jobs. Every one takes the caller, or a job that he was given for his own."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import BatchChunk, BatchJob, JobStatus
from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal

RECENT = timedelta(seconds=15)
STRIP_CELLS = 200


class Cell(NamedTuple):
    """One cell of the strip: neighbouring chunks from `first_row` on. `state` is the least finished of them."""

    first_row: int
    n_rows: int
    n_failed: int
    state: str


class Pace(NamedTuple):
    rows_per_second: float
    seconds_left: float | None


def jobs_for(principal: Principal) -> QuerySet[BatchJob]:
    """Newest first; a token that names its endpoints sees only their jobs."""
    named = Q() if principal.endpoints is None else Q(endpoint__slug__in=principal.endpoints)
    return BatchJob.objects.filter(policy.visible(principal), named).select_related(
        "project", "endpoint", "version__model", "created_by"
    )


def get_job(principal: Principal, job_id: UUID) -> BatchJob:
    job = jobs_for(principal).filter(pk=job_id).first()
    if job is None:
        raise NotFound(_("There is no such job."))
    return job


def progress_of(job: BatchJob) -> float:
    """From 0 to 1."""
    if not job.is_active and job.status != JobStatus.CANCELLED:
        return 1.0
    return (job.n_done + job.n_failed) / job.n_rows if job.n_rows else 0.0


def pace_of(job: BatchJob) -> Pace:
    """Over the last seconds if chunks ended in them, else over the whole run."""
    if job.status != JobStatus.RUNNING or not job.n_rows or job.started_at is None:
        return Pace(0.0, None)
    now = timezone.now()
    window = min(RECENT, now - job.started_at)
    recent = BatchChunk.objects.filter(job=job, finished_at__gte=now - window).aggregate(n=Sum("n_rows"))["n"]
    through = job.n_done + job.n_failed
    rows, seconds = (recent, window) if recent else (through, now - job.started_at)
    rate = rows / max(seconds.total_seconds(), 0.001)
    return Pace(rate, (job.n_rows - through) / rate if rate else None)


def strip_of(job: BatchJob, n_cells: int = STRIP_CELLS) -> list[Cell]:
    """The job's chunks in the order of the file, joined to at most `n_cells` cells of about equal size."""
    chunks = list(job.chunks.order_by("first_row").values_list("first_row", "n_rows", "n_failed", "status"))
    per_cell = -(-len(chunks) // n_cells) or 1
    return [_cell(chunks[begin : begin + per_cell]) for begin in range(0, len(chunks), per_cell)]


def _cell(chunks: list[tuple[int, int, int, str]]) -> Cell:
    states = {status for *_rest, status in chunks}
    state = next(state for state in ("running", "queued", "done") if state in states)
    return Cell(chunks[0][0], sum(chunk[1] for chunk in chunks), sum(chunk[2] for chunk in chunks), state)
