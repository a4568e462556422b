"""The requests that are replayed: the newest captured ones, or the lines of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from inference.models import PredictionRecord, ReplayRun
from portal.lib.errors import InvalidInput, TooLarge
from registry.services.artifacts import job_store

MOST_LINES = 10_000


class Asked(NamedTuple):
    """A V2 request as JSON. `place` counts from 0: captured ones from the newest on, lines of a file from its top."""

    place: int
    request_id: str
    body: bytes


def requests_of(run: ReplayRun) -> Iterator[Asked]:
    """Raises TooLarge (`line_too_long`, `too_many_lines`) or NotFound where the file is gone."""
    return _lines(run.file_sha256) if run.source == ReplayRun.Source.FILE else _captured(run)


def _captured(run: ReplayRun) -> Iterator[Asked]:
    records = PredictionRecord.objects.filter(endpoint=run.endpoint_id).exclude(inputs="").order_by("-pk")
    rows = records.values_list("request_id", "inputs")[: run.n_wanted]
    for index, (request_id, inputs) in enumerate(rows.iterator(chunk_size=100)):
        yield Asked(index, request_id, _body(inputs))


def _body(inputs: str) -> bytes:
    """The tensors alone, or the whole request."""
    text = inputs.strip()
    return (f'{{"inputs":{text}}}' if text.startswith("[") else text).encode()


def _lines(sha256: str) -> Iterator[Asked]:
    limit = settings.PORTAL_MAX_BODY_BYTES
    with job_store().open(sha256) as file:
        for index in range(MOST_LINES + 1):
            line = file.readline(limit + 1)
            if not line:
                return
            if index == MOST_LINES:
                sentence = _("A file may have at most %(n)s lines: split it.")
                raise TooLarge(sentence % {"n": MOST_LINES}, code="too_many_lines")
            if len(line) > limit:
                sentence = _("Line %(line)s is longer than %(n)s bytes: every line is one request.")
                raise TooLarge(sentence % {"line": index + 1, "n": limit}, code="line_too_long")
            if line.strip():
                yield Asked(index, "", line)


def bad_line(asked: Asked, error: InvalidInput) -> str:
    return _("Line %(line)s is no request that stable takes: %(why)s") % {"line": asked.place + 1, "why": error}
