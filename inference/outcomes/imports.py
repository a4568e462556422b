"""Whole files of outcomes. A small one is taken at once; a large one is stored and taken block by block by a worker.

The import's row holds its state as the answer that the caller will get. Each block and the state after it are one
transaction, so that a worker may die at any point and the next one goes on without counting anything twice.
"""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID, uuid4

import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Command, Endpoint
from inference.outcomes.services import endpoint_for, keep
from inference.outcomes.table import BLOCK_BYTES, Head, read_block, read_head
from inference.outcomes.tally import Tally
from portal.lib.errors import NotFound, PortalError
from portal.lib.texts import display_name
from registry.access.principal import Principal
from registry.services import audit
from registry.services.artifacts import job_store
from registry.services.doorbell import ring
from registry.services.receiving import take

PATH = "outcomes/imports"
TASK = "inference.tasks.import_outcomes"
RUNNING, DONE, FAILED = 202, 200, 400
MOST_LISTED = 100
GRACE = timedelta(seconds=10)
log = structlog.get_logger(__name__)


class Import(NamedTuple):
    """`id` is None where the file was taken at once. `state` is what the caller is answered."""

    id: UUID | None
    state: dict[str, Any]


def import_file(principal: Principal, slug: str, upload: UploadedFile) -> Import:
    """Raises InvalidInput (`wrong_columns`), NotFound, NotAllowed or TooLarge."""
    endpoint = endpoint_for(principal, slug)
    if (upload.size or 0) < BLOCK_BYTES:
        data = b"".join(upload.chunks())
        return Import(None, _import_now(endpoint, read_head(data), data))
    return _queue(principal, endpoint, upload)


def _import_now(endpoint: Endpoint, head: Head, data: bytes) -> dict[str, Any]:
    tally, offset, n_rows, ended, now = Tally(), head.offset, 0, False, timezone.now()
    while not ended:
        block = read_block(BytesIO(data), head, offset, n_rows, endpoint.slug, now)
        tally.add(keep(endpoint, block.reports))
        tally.rejected += block.rejected
        offset, n_rows, ended = block.offset, n_rows + block.n_rows, block.ended
    return tally.as_json()


def _queue(principal: Principal, endpoint: Endpoint, upload: UploadedFile) -> Import:
    blob = take(job_store(), upload)
    with job_store().open(blob.sha256) as file:
        head = read_head(file.read(BLOCK_BYTES))
    state = {
        "state": "queued",
        "endpoint": endpoint.slug,
        "file_name": display_name(upload.name or ""),
        "n_bytes": blob.size,
        "n_bytes_done": head.offset,
        "n_rows": 0,
        "n_rejected": 0,
        **Tally().as_json(),
    }
    row = Command(actor_id=principal.user_id, path=PATH, key=str(uuid4()), digest=blob.sha256, status=RUNNING)
    row.body = {**state, "endpoint_id": endpoint.pk, "columns": head.columns, "delimiter": head.delimiter}
    details = {"sha256": blob.sha256, "import": row.key}
    with transaction.atomic():
        row.save(force_insert=True)
        audit.record(principal, "outcomes.imported", endpoint, project_id=endpoint.project_id, details=details)
        transaction.on_commit(lambda: ring(TASK, row.key, queue="batch"))
    return Import(UUID(row.key), _shown(row))


def import_of(principal: Principal, import_id: UUID) -> Import:
    """Raises NotFound, also where the caller may not report about its endpoint."""
    row = Command.objects.filter(path=PATH, key=str(import_id)).first()
    if row is None or row.body is None:
        raise NotFound(_("There is no such import of outcomes."))
    endpoint_for(principal, row.body["endpoint"])
    return Import(import_id, _shown(row))


def _shown(row: Command) -> dict[str, Any]:
    hidden = {"endpoint_id", "columns", "delimiter"}
    return {"id": row.key, **{name: value for name, value in (row.body or {}).items() if name not in hidden}}


def run_import(key: str) -> None:
    """Goes on where the import stands. Returns at once where another worker is at it, or it has ended."""
    try:
        while _next_block(key):
            pass
    except (OperationalError, InterfaceError):
        log.warning("import_interrupted", key=key)
    except Exception as error:
        log.exception("import_failed", key=key)
        known = isinstance(error, PortalError)
        _fail(key, str(error) if known else _("The file could not be read to its end."))


@transaction.atomic
def _next_block(key: str) -> bool:
    """Whether there is more to do."""
    rows = Command.objects.select_for_update(skip_locked=True)
    row = rows.filter(path=PATH, key=key, status=RUNNING).first()
    if row is None or row.body is None:
        return False
    state = row.body
    endpoint = Endpoint.objects.get(pk=state["endpoint_id"])
    with job_store().open(row.digest) as file:
        ended = _take_block(file, state, endpoint)
    state["state"] = "done" if ended else "running"
    row.status = DONE if ended else RUNNING
    row.save(update_fields=["body", "status"])
    return not ended


def _take_block(file: BinaryIO, state: dict[str, Any], endpoint: Endpoint) -> bool:
    head = Head(state["columns"], state["delimiter"], 0)
    block = read_block(file, head, state["n_bytes_done"], state["n_rows"], endpoint.slug, timezone.now())
    tally = keep(endpoint, block.reports)
    for name in ("accepted", "joined", "unknown", "repeated", "late"):
        state[name] += getattr(tally, name)
    state["n_rejected"] += len(block.rejected)
    room = MOST_LISTED - len(state["rejected"])
    state["rejected"] += [row.as_json() for row in block.rejected[: max(0, room)]]
    state["n_bytes_done"], state["n_rows"] = block.offset, state["n_rows"] + block.n_rows
    return block.ended


@transaction.atomic
def _fail(key: str, message: str) -> None:
    row = Command.objects.select_for_update().filter(path=PATH, key=key, status=RUNNING).first()
    if row is not None:
        row.body = {**(row.body or {}), "state": "failed", "message": message}
        row.status = FAILED
        row.save(update_fields=["body", "status"])


def ring_for_waiting() -> None:
    """For imports whose message was lost or whose worker died."""
    rows = Command.objects.filter(path=PATH, status=RUNNING, created_at__lt=timezone.now() - GRACE)
    for key in rows.values_list("key", flat=True):
        ring(TASK, key, queue="batch")
