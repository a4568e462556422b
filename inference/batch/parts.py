"""A job's unfinished files: one output and one list of bad rows per chunk, and who is at work on what.

Names hold the claim's token, so two workers that compute the same chunk never write the same file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings

_RANGE = struct.Struct("=qq")


class DamagedPart(Exception):
    """A part is gone or changed, as after a crash of the machine: its chunk has to be computed again."""


def parts_root() -> Path:
    return Path(settings.DATA_DIR) / "jobs" / "parts"


class PartFolder:
    def __init__(self, job_id: UUID) -> None:
        self.path = parts_root() / UUID(str(job_id)).hex

    def part(self, first_row: int, token: int, kind: str) -> Path:
        return self.path / f"{first_row:015d}-{token}.{kind}"

    def claim_file(self, first_row: int, token: int) -> Path:
        return self.part(first_row, token, "claim")

    def job_claim_file(self, token: int) -> Path:
        return self.path / f"job-{token}.claim"

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def write_part(path: Path, data: bytes) -> str:
    """The file is whole or not there. Returns the SHA-256."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return hashlib.sha256(data).hexdigest()


def read_part(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DamagedPart(path.name) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedPart(path.name)
    return data


class ClaimFile:
    """Locked for as long as its worker lives, and says which rows the model is computing. A hint: the lease decides."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def at(self, begin: int, end: int) -> None:
        """Rows `[begin, end)`, written before the model sees them; (0, 0) when it has answered."""
        os.pwrite(self._descriptor, _RANGE.pack(begin, end), 0)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def is_abandoned(path: Path) -> bool:
    """True if the file is there and its worker is not. False says nothing."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def last_range(path: Path) -> tuple[int, int] | None:
    """The rows that the model was computing, if any."""
    try:
        begin, end = _RANGE.unpack(path.read_bytes())
    except (FileNotFoundError, struct.error):
        return None
    return (begin, end) if end > begin else None
