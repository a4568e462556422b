"""Files by the SHA-256 of their bytes. The path is made from the digest alone, never from anything a user typed.

A file first grows under `incoming/` with a random name and moves to `sha256/ab/<digest>` when it is complete and on
disk. Nothing under `sha256/` is ever half-written or changed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from portal.lib.errors import InvalidInput, NotFound, TooLarge, Unavailable

HEAD_BYTES = 4096
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """`head` holds the first 4 KB, enough to say what kind of file it is."""

    sha256: str
    size: int
    head: bytes


class Incoming:
    """A file that is still growing under `incoming/`. It ends in `ArtifactStore.adopt`, or in `discard`."""

    def __init__(self, folder: Path, *, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        self.size, self._head, self._limit = 0, b"", limit
        self._digest = hashlib.sha256()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = open(descriptor, "wb")  # noqa: SIM115  Closed by `finish` or `discard`.

    def write(self, chunk: bytes) -> None:
        """Raises TooLarge before the byte after the limit is written, Unavailable when the disk is full."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise TooLarge(
                f"The file is larger than the limit of {_words(self._limit)}.", details={"limit_bytes": self._limit}
            )
        if len(self._head) < HEAD_BYTES:
            self._head += bytes(chunk[: HEAD_BYTES - len(self._head)])
        self._digest.update(chunk)
        with _full_is_unavailable():
            self._file.write(chunk)

    def finish(self) -> StoredBlob:
        """Every byte is on disk when this returns."""
        with _full_is_unavailable():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return StoredBlob(self._digest.hexdigest(), self.size, self._head)

    def discard(self) -> None:
        """Leaves no trace; harmless after `adopt`."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    close = discard


@contextmanager
def _full_is_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _storage_full() from error
        raise


class ArtifactStore:
    """Holds any bytes: models, job inputs, job outputs. Safe for many processes on one file system."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._incoming = self.root / "incoming"
        self._blobs = self.root / "sha256"

    def receive(self, chunks: Iterable[bytes], *, limit: int) -> StoredBlob:
        """Streams to disk in constant memory. Raises TooLarge, or Unavailable on a full disk, and leaves no trace."""
        incoming = self.begin(limit=limit)
        try:
            for chunk in chunks:
                incoming.write(chunk)
            return self.adopt(incoming)
        finally:
            incoming.discard()

    def begin(self, *, limit: int) -> Incoming:
        """For bytes that are pushed rather than pulled: write to it, then `adopt` it, and `discard` it in any case."""
        return Incoming(self._incoming, limit=limit)

    def adopt(self, incoming: Incoming) -> StoredBlob:
        """Moves a whole file to its place; it may have grown in another store on the same file system."""
        with _full_is_unavailable():
            blob = incoming.finish()
            self._place(incoming.path, blob)
        return blob

    def path(self, sha256: str) -> Path:
        if not isinstance(sha256, str) or not _DIGEST.match(sha256):
            raise InvalidInput("A digest is 64 lower-case hexadecimal characters.", code="invalid_digest")
        return self._blobs / sha256[:2] / sha256

    def exists(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            raise _missing() from None

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise _missing() from None

    def delete(self, sha256: str) -> bool:
        """True when there was something to delete. The caller knows that nothing refers to it any more."""
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def sweep_incoming(self, older_than_seconds: float) -> int:
        """Remove what processes that died left behind; says how many files that were."""
        oldest = time.time() - older_than_seconds
        removed = 0
        for path in self._incoming.glob("*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
        return removed

    def _place(self, quarantine: Path, blob: StoredBlob) -> None:
        target = self.path(blob.sha256)
        if target.is_file() and target.stat().st_size == blob.size:
            return
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.replace(quarantine, target)
        for folder in (target.parent, self._blobs, self.root):
            _sync_folder(folder)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(size: int) -> str:
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= step:
            return f"{size / step:.4g} {unit}"
    return f"{size} bytes"


def _storage_full() -> Unavailable:
    return Unavailable(
        "The server has no room left for this file. Try again later or ask an operator to free some space.",
        code="storage_full",
        retry_after=300,
    )


def _missing() -> NotFound:
    return NotFound("The file is no longer in the store.", code="artifact_missing")
