"""Frees the bytes that nothing refers to any more, and finds rows whose bytes are gone.

A blob stays while a living version, an upload that waits to be used, or a logged file refers to it, and for a grace
after it came into its place: whoever places one writes its row a moment later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from registry.access.principal import SYSTEM
from registry.artifacts.model_files import Artifact, files_from_json
from registry.artifacts.store import ArtifactStore
from registry.models import AuditEvent, LoggedFile, ModelVersion, Upload, UploadState
from registry.services import audit
from registry.services.artifacts import artifact_store

GRACE_SECONDS = 3600.0
AT_ONCE = 500
MOST_NAMED = 100
SWEPT = "store.swept"
_DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")


class Blob(NamedTuple):
    sha256: str
    size: int


class Missing(NamedTuple):
    """A row whose bytes are not in the store. `kind` is version, upload or file; `name` is for people."""

    kind: str
    row_id: str
    name: str
    project_id: int
    sha256: str


@dataclass(frozen=True)
class Sweep:
    """What was found. `orphans` were freed, unless it was a dry run; `n_young` more are within the grace."""

    n_blobs: int
    n_bytes: int
    n_young: int
    orphans: list[Blob] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def freed_bytes(self) -> int:
        return sum(blob.size for blob in self.orphans)


@dataclass
class _Store:
    """What the audit event is about."""

    pk: str = "artifacts"

    def __str__(self) -> str:
        return "artifact store"


def sweep(*, dry_run: bool = False, grace_seconds: float = GRACE_SECONDS) -> Sweep:
    """Orphans both ways. Rows are read before the files for what is missing, and after them for what is orphaned."""
    store = artifact_store()
    rows = list(references())
    blobs = dict(_blobs(store))
    missing = [row for row in rows if row.sha256 not in blobs]
    kept = digests_referenced()
    candidates = [Blob(sha256, size) for sha256, size in blobs.items() if sha256 not in kept]
    old = [blob for blob in candidates if _is_older(store, blob.sha256, grace_seconds)]
    freed = old if dry_run else list(_freed(store, old, grace_seconds))
    found = Sweep(len(blobs), sum(blobs.values()), len(candidates) - len(old), freed, missing)
    if not dry_run:
        _record(found)
    return found


def references() -> Iterator[Missing]:
    """Every row that refers to bytes, once for each of its blobs."""
    for version in _living().select_related("model").iterator(2000):
        for sha256 in _digests(version):
            yield Missing("version", str(version.pk), str(version), version.model.project_id, sha256)
    for upload in _waiting().iterator(2000):
        yield Missing("upload", str(upload.pk), str(upload), upload.project_id, upload.digest)
    for file in LoggedFile.objects.iterator(2000):
        yield Missing("file", str(file.pk), file.path, file.project_id, file.sha256)


def digests_referenced() -> set[str]:
    """Of all blobs that have to stay.

    Uploads and logged files before versions: one that becomes a version between the two is found in both.
    """
    found = set(_waiting().values_list("digest", flat=True))
    found.update(LoggedFile.objects.values_list("sha256", flat=True).distinct())
    rows = _living().only("sha256", "files").iterator(2000)
    found.update(sha256 for version in rows for sha256 in _digests(version))
    return found


def freed_by(versions: Iterable[ModelVersion]) -> int:
    """How many bytes deleting these would free; what others refer to counts nothing."""
    versions = list(versions)
    sizes: dict[str, int] = {}
    for version in versions:
        files = files_from_json(version.files)
        sizes.update({item.sha256: item.size for item in files} or {version.sha256: version.size})
    kept = _kept_by_others(set(sizes), [version.pk for version in versions])
    return sum(size for sha256, size in sizes.items() if sha256 not in kept)


def _kept_by_others(digests: set[str], without: list[int]) -> set[str]:
    """Of these digests those that something besides the versions `without` refers to.

    Asks by digest; only bundles, whose digests stand in a list, are read one by one.
    """
    if not digests:
        return set()
    others = _living().exclude(pk__in=without)
    found = set(others.filter(sha256__in=digests, files=[]).values_list("sha256", flat=True))
    found.update(_waiting().filter(digest__in=digests).values_list("digest", flat=True))
    found.update(LoggedFile.objects.filter(sha256__in=digests).values_list("sha256", flat=True))
    bundles = others.exclude(files=[]).values_list("files", flat=True).iterator(2000)
    found.update(item.sha256 for files in bundles for item in files_from_json(files))
    return found & digests


def last_missing(project_id: int) -> list[dict[str, Any]]:
    """What the last sweep found missing in a project."""
    event = AuditEvent.objects.filter(action=SWEPT).order_by("-id").first()
    rows = event.details.get("missing", []) if event else []
    return [row for row in rows if row["project"] == project_id]


def _living() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(deleted_at=None)


def _waiting() -> QuerySet[Upload]:
    return Upload.objects.filter(state=UploadState.COMPLETE).exclude(digest="")


def _digests(version: ModelVersion) -> list[str]:
    return Artifact(version.sha256, files_from_json(version.files)).digests


def _blobs(store: ArtifactStore) -> Iterator[tuple[str, int]]:
    for path in (store.root / "sha256").glob("*/*"):
        with suppress(FileNotFoundError):
            if _DIGEST.match(path.name):
                yield path.name, path.stat().st_size


def _is_older(store: ArtifactStore, sha256: str, seconds: float) -> bool:
    """By the time of its last rename or touch: an upload in parts may have written its last byte long before."""
    with suppress(FileNotFoundError):
        return time.time() - store.path(sha256).stat().st_ctime >= seconds
    return False


def _freed(store: ArtifactStore, blobs: list[Blob], grace_seconds: float) -> Iterator[Blob]:
    """The references are read anew for every few, as many files take long."""
    for begin in range(0, len(blobs), AT_ONCE):
        kept = digests_referenced()
        for blob in blobs[begin : begin + AT_ONCE]:
            if blob.sha256 not in kept and _is_older(store, blob.sha256, grace_seconds) and store.delete(blob.sha256):
                _forget_copies(blob.sha256)
                yield blob


def _forget_copies(sha256: str) -> None:
    """What serving processes keep of it to load it faster (`inference/runtime/optimized.py`)."""
    for path in (Path(settings.DATA_DIR) / "cache" / "optimized").glob(f"{sha256}-*"):
        path.unlink(missing_ok=True)


def _record(found: Sweep) -> None:
    """Only what is news: a sweep that finds what the last one found writes nothing."""
    missing = [
        {"kind": row.kind, "id": row.row_id, "name": row.name, "project": row.project_id, "sha256": row.sha256}
        for row in found.missing[:MOST_NAMED]
    ]
    last = AuditEvent.objects.filter(action=SWEPT).order_by("-id").first()
    if not found.orphans and missing == (last.details.get("missing", []) if last else []):
        return
    details = {
        "n_freed": len(found.orphans),
        "freed_bytes": found.freed_bytes,
        "n_missing": len(found.missing),
        "missing": missing,
    }
    with transaction.atomic():
        audit.record(SYSTEM, SWEPT, _Store(), details=details)
