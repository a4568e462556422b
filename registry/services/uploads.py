"""Uploads in parts: begun -> parts in any order -> complete -> used by a version. Each step may be repeated.

How a part gets to its place stands in `upload_parts.py`, how a version is made of it in `upload_versions.py`.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import Conflict, InvalidInput, NotFound, Unprocessable
from portal.lib.texts import display_name
from registry.access import policy
from registry.access.principal import SYSTEM, Principal
from registry.artifacts.incoming import StoredBlob
from registry.artifacts.parts import PartsFile
from registry.models import Project, Upload, UploadState
from registry.services import audit, quotas
from registry.services.artifacts import artifact_store

MIB = 1 << 20
# A request costs as much processor time as 6 MB on their way: parts are large where the caller does not say.
USUAL_PART_BYTES = 32 * MIB
MIN_PART_BYTES, MAX_PART_BYTES = 64 << 10, 64 * MIB
MAX_PARTS = 10_000
MAX_OPEN = 100
N_HOLES_SHOWN = 100
ABANDONED_AFTER = timedelta(hours=24)
# Rows that are over are kept so long, so that a late caller is told what became of his upload.
FORGOTTEN_AFTER = timedelta(days=7)
UNUSED = (UploadState.OPEN, UploadState.COMPLETE)
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants to upload; nothing of it is checked yet. `sha256` is that of the whole file."""

    size: int
    file_name: str = ""
    sha256: str = ""
    part_size: int | None = None


def begin(principal: Principal, project: Project, wish: Wish) -> Upload:
    """Raises TooLarge over a limit or the quota, Unavailable where the disk has no room."""
    policy.require(principal, "version.upload", project.pk)
    part_size = _part_size(wish)
    quotas.check_size(project, wish.size)
    with transaction.atomic():
        project = quotas.hold_project(project.pk)
        quotas.check_quota(project, wish.size)
        _check_count(principal, project)
        upload = Upload.objects.create(
            project=project,
            created_by_id=principal.user_id,
            file_name=display_name(wish.file_name),
            size=wish.size,
            part_size=part_size,
            sha256=wish.sha256 and check_digest(wish.sha256),
        )
        audit.record(principal, "upload.begun", upload, project_id=project.pk, details={"size": wish.size})
        file_of(upload).create()
    return upload


def complete(principal: Principal, upload: Upload, sha256: str = "") -> Upload:
    """Proves the whole and moves it to the store. Raises Conflict for holes, Unprocessable for another digest."""
    policy.require(principal, "version.upload", upload.project_id)
    wanted = check_digest(sha256) if sha256 else upload.sha256
    if upload.state == UploadState.OPEN:
        _check_holes(upload)
        touch(upload)
        upload = _assemble(principal, upload, wanted)
    _check_whole(wanted, upload.digest)
    return upload


def abort(principal: Principal, upload: Upload) -> None:
    """Gives up an upload that no version was made of; its parts are gone when this returns."""
    policy.require(principal, "version.upload", upload.project_id)
    if not _give_up(principal, upload, "upload.aborted"):
        raise closed(upload)


def sweep_abandoned() -> int:
    """Gives up what nobody touched for a day and no version was made of; says how many uploads that were."""
    old = Upload.objects.filter(state__in=UNUSED, touched_at__lt=timezone.now() - ABANDONED_AFTER)
    n_swept = sum(_give_up(SYSTEM, upload, "upload.swept", touched_at=upload.touched_at) for upload in old[:1000])
    over = Upload.objects.exclude(state__in=UNUSED)
    over.filter(touched_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()
    return n_swept


def _give_up(principal: Principal, upload: Upload, action: str, **still: Any) -> bool:
    """False where a version was made of it meanwhile, somebody was first, or it is not `still` so."""
    unused = Upload.objects.filter(pk=upload.pk, state__in=UNUSED, **still)
    with transaction.atomic():
        if not unused.update(state=UploadState.ABORTED, touched_at=timezone.now()):
            return False
        upload.parts.all().delete()
        audit.record(principal, action, upload, project_id=upload.project_id)
    # Of a complete one the bytes may be a version's too: those are seen to by the sweep of the store.
    file_of(upload).discard()
    return True


def file_of(upload: Upload) -> PartsFile:
    return PartsFile(artifact_store().root / "incoming", upload.pk.hex, size=upload.size)


def n_parts(upload: Upload) -> int:
    return math.ceil(upload.size / upload.part_size)


def check_digest(sha256: Any) -> str:
    if not isinstance(sha256, str) or not _DIGEST.match(sha256):
        raise InvalidInput(
            _("A SHA-256 is written as 64 lower-case hexadecimal characters."),
            code="invalid_digest",
            details={"field": "sha256"},
        )
    return sha256


def _part_size(wish: Wish) -> int:
    """What was asked for within the bounds, else 16 MiB, or more where that would make too many parts."""
    if wish.size < 1:
        raise InvalidInput(_("“size” has to be the file's size in bytes, 1 or more."), details={"field": "size"})
    least = max(MIN_PART_BYTES, math.ceil(wish.size / MAX_PARTS))
    if wish.part_size is None:
        return max(USUAL_PART_BYTES, math.ceil(least / MIB) * MIB)
    if not least <= wish.part_size <= MAX_PART_BYTES:
        raise InvalidInput(
            _("“part_size” has to lie between %(least)s and %(most)s bytes for a file of this size.")
            % {"least": least, "most": MAX_PART_BYTES},
            details={"field": "part_size", "least": least, "most": MAX_PART_BYTES},
        )
    return wish.part_size


def _check_count(principal: Principal, project: Project) -> None:
    mine = Upload.objects.filter(project=project, created_by_id=principal.user_id, state=UploadState.OPEN)
    if mine.count() >= MAX_OPEN:
        raise Conflict(
            _("%(n)s of your uploads are open already: finish or delete one first.") % {"n": MAX_OPEN},
            code="too_many_uploads",
            details={"n_open": MAX_OPEN},
        )


def closed(upload: Upload) -> Conflict:
    return Conflict(
        _("This upload is closed: begin a new one."), code="upload_closed", details={"state": str(upload.state)}
    )


def touch(upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(touched_at=timezone.now())


def _check_holes(upload: Upload) -> None:
    there = set(upload.parts.values_list("number", flat=True))
    holes = [number for number in range(1, n_parts(upload) + 1) if number not in there]
    if holes:
        raise Conflict(
            ngettext(
                "Part %(first)s is missing: send it, then complete again.",
                "%(n)s parts are missing, the first of them is part %(first)s: send them, then complete again.",
                len(holes),
            )
            % {"n": len(holes), "first": holes[0]},
            code="parts_missing",
            details={"missing": holes[:N_HOLES_SHOWN], "n_missing": len(holes), "n_parts": n_parts(upload)},
        )


def _assemble(principal: Principal, upload: Upload, wanted: str) -> Upload:
    """All parts stand, so nobody writes to the file any more. The second of two waits here for the first."""
    file = file_of(upload)
    try:
        with file.locked():
            upload.refresh_from_db()
            if upload.state == UploadState.OPEN:
                _check_whole(wanted, file.finish().sha256)
                _move(principal, upload, file)
    except NotFound:
        # The first of two has moved it just now.
        upload.refresh_from_db()
        if upload.state == UploadState.OPEN:
            raise
    if not upload.digest:
        raise closed(upload)
    return upload


def _move(principal: Principal, upload: Upload, file: PartsFile) -> None:
    blob = _stored(file)
    # As young as its last use: the sweep of the store leaves what is young alone.
    os.utime(artifact_store().path(blob.sha256))
    with transaction.atomic():
        done = Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN).update(
            state=UploadState.COMPLETE, digest=blob.sha256, touched_at=timezone.now()
        )
        if done:
            details = {"sha256": blob.sha256, "size": upload.size}
            audit.record(principal, "upload.completed", upload, project_id=upload.project_id, details=details)
    file.discard()
    upload.refresh_from_db()


def _stored(file: PartsFile) -> StoredBlob:
    """Moved as it is; where the store encrypts, written anew."""
    store = artifact_store()
    return store.receive(file.chunks(), limit=file.size) if store.encrypts else store.adopt(file)


def _check_whole(wanted: str, found: str) -> None:
    if wanted and wanted != found:
        raise Unprocessable(
            _("The whole file has another SHA-256 than you announced: compare it with the one you meant to send."),
            code="digest_mismatch",
            details={"sha256": found, "announced": wanted},
        )
