"""Who may write to a part's place while the part still comes: the first caller, straight to the place.

Whoever brings the same part meanwhile goes by a file of his own, and takes the place over as soon as all of his bytes
are there, so that nobody waits for a caller who dawdles. A claim is an empty file beside the upload's. Its lock is
held while a piece is written or the place is taken over; a byte in it says that it was taken over, for good.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Claim:
    """Ends in `release`; of a process that dies the claim stays, and later callers go the other way."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether the place is still the claim's; nobody takes it over until this ends. Waits for no network."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            found = os.fstat(self._descriptor)
            # Without a name it was swept, and another caller may have a claim by now.
            yield found.st_size == 0 and found.st_nlink > 0
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def release(self) -> None:
        with self.held() as is_mine:
            if is_mine:
                self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def claim(path: Path) -> Claim | None:
    """None where somebody has the claim, or had it when his process died; also where there is no such folder."""
    try:
        return Claim(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except (FileExistsError, FileNotFoundError):
        return None


@contextmanager
def taken_over(path: Path) -> Iterator[None]:
    """From now on nobody writes to the place by a claim."""
    descriptor = _locked(path)
    try:
        os.pwrite(descriptor, b"x", 0)
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Of the file that has the name now: one that was released while we waited counts no more."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
