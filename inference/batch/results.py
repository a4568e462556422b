"""The files that a job leaves: its output, and the list of its failed rows, which grows while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import orjson
from django.utils.translation import gettext as _

from inference.batch.parts import PartFolder
from inference.models import BatchJob
from portal.lib.errors import Conflict
from registry.services.artifacts import job_store

MAX_LISTED_ERRORS = 10_000


def failed_rows(job: BatchJob, start: int = 0, limit: int = 50) -> list[dict[str, Any]]:
    """`{"row", "line", "code", "reason"}` in the order of the file; reads no further than `MAX_LISTED_ERRORS`."""
    end = min(start + limit, MAX_LISTED_ERRORS)
    return [orjson.loads(line) for line in islice(_error_lines(job), start, end)]


def open_output(job: BatchJob) -> BinaryIO:
    """Raises Conflict while there is none."""
    return _open(job, job.output_sha256)


def open_errors(job: BatchJob) -> BinaryIO:
    return _open(job, job.errors_sha256)


def _open(job: BatchJob, sha256: str) -> BinaryIO:
    if sha256:
        return job_store().open(sha256)
    if job.is_active:
        sentence, code = _("This job is not done yet: ask again when it has ended."), "job_not_done"
    else:
        sentence, code = _("This job ended without an output."), "no_output"
    raise Conflict(sentence, code=code, details={"status": job.status})


def _error_lines(job: BatchJob) -> Iterator[bytes]:
    if job.errors_sha256:
        with job_store().open(job.errors_sha256) as file:
            yield from file
    else:
        yield from _error_lines_so_far(job)


def _error_lines_so_far(job: BatchJob) -> Iterator[bytes]:
    """Out of the parts. One that vanishes meanwhile is left out: the job has just ended."""
    folder = PartFolder(job.pk)
    for chunk in job.chunks.filter(n_failed__gt=0).order_by("first_row").iterator(100):
        path = folder.part(chunk.first_row, chunk.token, "bad")
        if path.is_file():
            yield from path.read_bytes().splitlines()
