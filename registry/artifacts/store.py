"""Files by the SHA-256 of their bytes. The path is made from the digest alone, never from anything a user typed.

A file first grows under `incoming/` with a random name and moves to `sha256/ab/<digest>` when it is complete and on
disk. Nothing under `sha256/` is ever half-written or changed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from portal.lib.errors import InvalidInput, NotFound, PortalError
from registry.artifacts.encryption import MAGIC, Keyring, broken, pieces, plain_size
from registry.artifacts.incoming import Incoming, StoredBlob, full_is_unavailable
from registry.artifacts.plain import is_plain, open_plain

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class ArtifactStore:
    """Holds any bytes: models, job inputs, job outputs. Safe for many processes on one file system."""

    def __init__(self, root: Path, keys: Keyring | None = None) -> None:
        """With `keys` it encrypts all that it takes from now on; what it has may be plain or encrypted."""
        self.root = Path(root)
        self.keys = keys or Keyring([])
        self._incoming = self.root / "incoming"
        self._blobs = self.root / "sha256"

    def receive(self, chunks: Iterable[bytes], *, limit: int) -> StoredBlob:
        """Streams to disk in constant memory. Raises TooLarge, or Unavailable on a full disk, and leaves no trace."""
        return self._receive(chunks, limit, None)

    def begin(self, *, limit: int) -> Incoming:
        """For bytes that are pushed rather than pulled: write to it, then `adopt` it, and `discard` it in any case."""
        return Incoming(self._incoming, limit=limit, keys=self.keys)

    def adopt(self, incoming: Incoming) -> StoredBlob:
        """Moves a whole file to its place; it may have grown in another store on the same file system."""
        with full_is_unavailable():
            blob = incoming.finish()
            if not self.encrypts and blob.head.startswith(MAGIC):
                raise _reserved()
            self._place(incoming.path, blob)
        return blob

    def path(self, sha256: str) -> Path:
        """Where the file lies. Its bytes may be encrypted: read them by `open`."""
        if not isinstance(sha256, str) or not _DIGEST.match(sha256):
            raise InvalidInput("A digest is 64 lower-case hexadecimal characters.", code="invalid_digest")
        return self._blobs / sha256[:2] / sha256

    def exists(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int:
        """Of the plain bytes."""
        try:
            return plain_size(self.path(sha256))
        except FileNotFoundError:
            raise _missing() from None

    def open(self, sha256: str) -> io.BufferedReader:
        """The plain bytes, to read and to seek in constant memory; only an encrypted file has no descriptor.

        Raises NotFound (`artifact_missing`), or Unavailable (`artifact_tampered`, `encryption_key_missing`).
        """
        try:
            return open_plain(self.path(sha256), sha256, self.keys)
        except FileNotFoundError:
            raise _missing() from None

    @property
    def encrypts(self) -> bool:
        """Whether what it takes from now on lies encrypted on the disk."""
        return bool(self.keys)

    def encrypt(self, sha256: str) -> bool:
        """Encrypts a file that lies plain; False when there was nothing to do.

        Raises NotFound, or Unavailable (`artifact_tampered` where its bytes are not those of its digest).
        """
        with self.open(sha256) as file:
            if not self.encrypts or not is_plain(file):
                return False
            self._receive(pieces(file), sys.maxsize, sha256)
        return True

    def digests(self) -> Iterator[str]:
        """Of all files that it has."""
        for path in self._blobs.glob("[0-9a-f][0-9a-f]/*"):
            if _DIGEST.match(path.name):
                yield path.name

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

    def _receive(self, chunks: Iterable[bytes], limit: int, expected: str | None) -> StoredBlob:
        """Takes nothing, and raises Unavailable (`artifact_tampered`), where the digest is not the expected one."""
        incoming = self.begin(limit=limit)
        try:
            for chunk in chunks:
                incoming.write(chunk)
            if expected is not None and incoming.finish().sha256 != expected:
                raise broken()
            return self.adopt(incoming)
        finally:
            incoming.discard()

    def _place(self, quarantine: Path, blob: StoredBlob) -> None:
        target = self.path(blob.sha256)
        if self._has(target, blob) and _touched(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.replace(quarantine, target)
        for folder in (target.parent, self._blobs, self.root):
            _sync_folder(folder)

    def _has(self, target: Path, blob: StoredBlob) -> bool:
        """Whether the very bytes lie there, and lie as they should. What was spoilt is replaced."""
        try:
            with open_plain(target, blob.sha256, self.keys) as file:
                if is_plain(file) == self.encrypts:
                    return False
                return hashlib.file_digest(file, "sha256").hexdigest() == blob.sha256
        except (FileNotFoundError, PortalError):
            return False


def _touched(path: Path) -> bool:
    """As young as its last use, so that a sweep of what nobody refers to leaves it alone; False where one was first."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reserved() -> InvalidInput:
    return InvalidInput("This file begins like the server's own encrypted files: send another.", code="reserved_format")


def _missing() -> NotFound:
    return NotFound("The file is no longer in the store.", code="artifact_missing")
