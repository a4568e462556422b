"""A version's bytes for somebody who takes them away: one file as it is, a bundle as a zip to upload again."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from django.db import transaction

from portal.lib.errors import Unavailable
from registry.access.principal import Principal
from registry.artifacts.encryption import pieces
from registry.artifacts.model_files import Artifact
from registry.models import ModelVersion
from registry.services import audit
from registry.services.archives import artifact_of
from registry.services.artifacts import artifact_store, noted, refused, require_seal

# The same files give the same zip.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16


class Download(NamedTuple):
    """`size` is None where it is not known before the end. `chunks` break off before the end where bytes are not those
    that were registered."""

    name: str
    content_type: str
    size: int | None
    chunks: Iterator[bytes]


def download_of(version: ModelVersion) -> Download:
    """Raises NotFound (`artifact_missing`), or Unavailable (`artifact_tampered`, `encryption_key_missing`)."""
    artifact, name = artifact_of(version), f"{version.model.name}-v{version.number}"
    require_seal(artifact)
    for sha256 in artifact.digests:
        artifact_store().open(sha256).close()
    if artifact.files:
        return Download(f"{name}.zip", "application/zip", None, _zipped(artifact))
    size = artifact_store().size(artifact.sha256)
    return Download(f"{name}.onnx", "application/octet-stream", size, proven(artifact, artifact.sha256))


def download_for(principal: Principal, version: ModelVersion) -> Download:
    """As `download_of`, on the record. That somebody asked for it stands there, not whether he took it to its end."""
    found = download_of(version)
    record_download(principal, version)
    return found


def record_download(principal: Principal, version: ModelVersion, **details: str) -> None:
    with transaction.atomic():
        audit.record(
            principal,
            "version.downloaded",
            version,
            project_id=version.model.project_id,
            details={"sha256": version.sha256, **details},
        )


def proven(artifact: Artifact, sha256: str) -> Iterator[bytes]:
    """The bytes of one of its blobs in constant memory. The last piece comes when all are proven; raises Unavailable
    instead."""
    digest, held = hashlib.sha256(), b""
    with artifact_store().open(sha256) as file:
        for piece in _pieces(artifact, file):
            digest.update(piece)
            if held:
                yield held
            held = piece
    if digest.hexdigest() != sha256:
        raise refused(artifact, f"the bytes of {sha256}")
    if held:
        yield held


def _pieces(artifact: Artifact, file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from pieces(file)
    except Unavailable as error:
        raise noted(artifact, error) from None


class _Sink(io.RawIOBase):
    """What was written since it was last emptied."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def _zipped(artifact: Artifact) -> Iterator[bytes]:
    """Stored, not compressed: weights hardly shrink. The files come in the order of the bundle."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for item in artifact.files:
            entry = zipfile.ZipInfo(item.name, _NO_DATE)
            entry.external_attr, entry.file_size = _FILE_MODE, item.size
            with archive.open(entry, "w") as file:
                for piece in proven(artifact, item.sha256):
                    file.write(piece)
                    yield sink.take()
    yield sink.take()
