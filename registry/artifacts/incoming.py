"""A file on its way into the store: it grows under a random name, hashed as it comes."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from portal.lib.errors import TooLarge, Unavailable
from registry.artifacts.encryption import Encryptor, Keyring
from registry.artifacts.plain import open_plain

HEAD_BYTES = 4096
# So much at a time goes to the disk while more comes in.
FLUSH_BYTES = 4 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """`head` holds the first 4 KB, enough to say what kind of file it is."""

    sha256: str
    size: int
    head: bytes


class Incoming:
    """A file that is still growing under `incoming/`. It ends in `ArtifactStore.adopt`, or in `discard`."""

    def __init__(self, folder: Path, *, limit: int, keys: Keyring) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        self.size, self._head, self._limit = 0, b"", limit
        self._digest = hashlib.sha256()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = open(descriptor, "wb")  # noqa: SIM115  Closed by `finish` or `discard`.
        self._keys = keys
        self._encryptor = Encryptor(self._file, keys) if keys else None
        self._blob: StoredBlob | None = None

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
        with full_is_unavailable():
            (self._encryptor or self._file).write(chunk)
        flush_early(self._file.fileno(), 0, self.size - len(chunk), self.size)

    def finish(self) -> StoredBlob:
        """Every byte is on disk when this returns; once more does no harm."""
        if self._blob is not None:
            return self._blob
        blob = StoredBlob(self._digest.hexdigest(), self.size, self._head)
        with full_is_unavailable():
            if self._encryptor is not None:
                self._encryptor.finish(blob.sha256)
            self._file.flush()
            # Spares the times of the file, which nobody needs.
            getattr(os, "fdatasync", os.fsync)(self._file.fileno())
            self._file.close()
        self._blob = blob
        return blob

    def open(self) -> io.BufferedReader:
        """The plain bytes, once it is finished."""
        return open_plain(self.path, self.finish().sha256, self._keys)

    def discard(self) -> None:
        """Leaves no trace; harmless after `adopt`."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    close = discard


def flush_early(descriptor: int, start: int, before: int, now: int) -> None:
    """Of a stretch that begins at `start` and grew from `before` to `now` bytes: begins to write what became whole.

    Waits for nothing, so that the sync in the end finds little left. Linux takes the advice so, and drops only what is
    written already; elsewhere nothing is lost without it.
    """
    first, last = before // FLUSH_BYTES * FLUSH_BYTES, now // FLUSH_BYTES * FLUSH_BYTES
    if last > first and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start + first, last - first, os.POSIX_FADV_DONTNEED)


@contextmanager
def full_is_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise storage_full() from error
        raise


def _words(size: int) -> str:
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= step:
            return f"{size / step:.4g} {unit}"
    return f"{size} bytes"


def storage_full() -> Unavailable:
    return Unavailable(
        "The server has no room left for this file. Try again later or ask an operator to free some space.",
        code="storage_full",
        retry_after=300,
    )
