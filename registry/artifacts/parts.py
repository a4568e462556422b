"""A file that comes in parts: one sparse file, in which each part lies at its place from the moment it is proven.

A part is hashed on its way. It runs straight to its place where its caller is the only one who brings it, so that it
is written once; else into a nameless file, from which it moves when all of it is there and right (`part_claims.py`).
What a caller leaves at a place who breaks off, lies or is killed counts for nothing: whoever brings the part writes
over it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from portal.lib.errors import NotFound, Unavailable
from registry.artifacts.incoming import HEAD_BYTES, Incoming, StoredBlob, full_is_unavailable, storage_full
from registry.artifacts.part_claims import Claim, claim, taken_over
from registry.artifacts.part_writing import copy, run, sync, write_claimed, write_whole

HASH_BLOCK = 1 << 20


class Slot(NamedTuple):
    """A part's place. `claim` is there for who may write to it at once."""

    number: int
    offset: int
    size: int
    claim: Claim | None = None


class ReceivedPart(NamedTuple):
    """A part that has come, `size` bytes of it. `file` has no name, and is None where the bytes lie at their place."""

    slot: Slot
    file: IO[bytes] | None
    sha256: str
    size: int


class PartsFile(Incoming):
    """`size` bytes under `incoming/`, filled at any offset by any process. Ends in `ArtifactStore.adopt`."""

    def __init__(self, folder: Path, name: str, *, size: int) -> None:
        self.folder, self.path, self.size = folder, folder / f"upload-{name}", size
        self._found: StoredBlob | None = None

    def create(self) -> None:
        """Raises Unavailable where the disk has less room than the file needs."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self.folder).free < self.size:
            raise storage_full()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with full_is_unavailable():
                os.ftruncate(descriptor, self.size)
        finally:
            os.close(descriptor)

    @contextmanager
    def claimed(self, slot: Slot) -> Iterator[Slot]:
        """The slot, with a claim to its place unless somebody else has one."""
        with full_is_unavailable():
            own = claim(self._claim_path(slot.number)) if self.path.exists() else None
        try:
            yield slot._replace(claim=own)
        finally:
            if own is not None:
                own.release()

    @contextmanager
    def received(self, read: Callable[[int], bytes], slot: Slot) -> Iterator[ReceivedPart]:
        """Takes the part from `read` in constant memory; `size` is less where the caller ended early."""
        if slot.claim is None:
            with tempfile.TemporaryFile(dir=self.folder, buffering=0) as file:
                digest, size = run(read, slot.size, partial(write_whole, file.fileno()))
                yield ReceivedPart(slot, file, digest, size)
        else:
            with self._opened(os.O_WRONLY) as target:
                digest, size = run(read, slot.size, partial(write_claimed, target, slot.claim, slot.offset))
            yield ReceivedPart(slot, None, digest, size)

    def place(self, part: ReceivedPart) -> None:
        """Every byte is on disk when this returns. Raises NotFound where the file is gone."""
        with self._opened(os.O_WRONLY) as target, full_is_unavailable():
            if part.file is None:
                _keep(part.slot, target)
            else:
                with taken_over(self._claim_path(part.slot.number)):
                    copy(part.file.fileno(), target, part.slot.offset, part.size)
                    sync(target)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time, over all processes; the lock dies with its process."""
        with self._opened(os.O_RDONLY) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def finish(self) -> StoredBlob:
        """Reads the whole once, also when asked twice. Raises NotFound where the file is gone."""
        if self._found is None:
            digest, head, size = hashlib.sha256(), b"", 0
            for chunk in self.chunks():
                head = head or chunk[:HEAD_BYTES]
                digest.update(chunk)
                size += len(chunk)
            self._found = StoredBlob(digest.hexdigest(), size, head)
        return self._found

    def chunks(self) -> Iterator[bytes]:
        with self._opened(os.O_RDONLY) as descriptor:
            done = 0
            while chunk := os.pread(descriptor, HASH_BLOCK, done):
                yield chunk
                done += len(chunk)

    def write(self, chunk: bytes) -> None:
        raise TypeError("Parts are placed, not appended.")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        for left in self.folder.glob(f"{self.path.name}-*"):
            left.unlink(missing_ok=True)

    close = discard

    def _claim_path(self, number: int) -> Path:
        return self.folder / f"{self.path.name}-{number}"

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, flags | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("The parts of this upload are gone: begin it again.", code="upload_gone") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _keep(slot: Slot, target: int) -> None:
    assert slot.claim is not None
    with slot.claim.held() as is_mine:
        if not is_mine:
            # Whoever took the place over has not ended well, else his row would stand.
            raise Unavailable(
                "Two callers sent this part at once: send it again.", code="part_contended", retry_after=1
            )
        sync(target)
