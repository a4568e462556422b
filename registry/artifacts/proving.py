"""Opens blobs whose bytes are what their digest says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from registry.artifacts.encryption import pieces
from registry.artifacts.plain import is_plain
from registry.artifacts.seals import Tampered
from registry.artifacts.store import ArtifactStore


@contextmanager
def open_proven(store: ArtifactStore, sha256: str) -> Iterator[int]:
    """A descriptor of the plain bytes at their beginning, closed at the end. What lies encrypted is in memory only.

    Raises NotFound (`artifact_missing`), Unavailable (`artifact_tampered`, `encryption_key_missing`) or Tampered.
    """
    with store.open(sha256) as file:
        if is_plain(file):
            _compare(hashlib.file_digest(file, "sha256").hexdigest(), sha256)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            yield file.fileno()
            return
        memory = _in_memory(file, sha256)
    try:
        yield memory
    finally:
        os.close(memory)


def _in_memory(file: BinaryIO, sha256: str) -> int:
    memory, digest = _anonymous(), hashlib.sha256()
    try:
        for piece in pieces(file):
            digest.update(piece)
            left = memoryview(piece)
            while left:
                left = left[os.write(memory, left) :]
        _compare(digest.hexdigest(), sha256)
        _freeze(memory)
        os.lseek(memory, 0, os.SEEK_SET)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _anonymous() -> int:
    """Where the system has no files in memory: one without a name in the folder for temporary files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _freeze(memory: int) -> None:
    """Nobody can change it any more, also not a process that it is handed to."""
    if hasattr(fcntl, "F_ADD_SEALS"):
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)


def _compare(found: str, sha256: str) -> None:
    if found != sha256:
        raise Tampered(f"the bytes of {sha256}")
