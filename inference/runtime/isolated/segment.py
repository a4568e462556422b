"""Memory that two processes share. Only the serving process makes it, so that the other one decides nothing about it.

On Linux its size is sealed: a mapping whose file shrinks would kill whoever reads it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile

PAGE = mmap.PAGESIZE
SMALLEST = 1 << 16
_SEALS = ("F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_SEAL")


def roomy(size: int) -> int:
    """Some more than `size` bytes in whole pages, so that requests that grow slowly do not ask for memory each time."""
    return max(SMALLEST, -(-(size + size // 4) // PAGE) * PAGE)


def make_segment(size: int) -> tuple[int, mmap.mmap]:
    """A descriptor to hand over and close, and the memory. Raises OSError when there is none to be had."""
    descriptor = _file()
    try:
        os.ftruncate(descriptor, size)
        _reserve(descriptor, size)
        if hasattr(os, "memfd_create"):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, sum(getattr(fcntl, name) for name in _SEALS))
        return descriptor, mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise


def open_segment(descriptor: int, size: int, *, read_only: bool) -> mmap.mmap:
    """The memory behind a descriptor that was handed over, which is closed."""
    try:
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE)
    finally:
        os.close(descriptor)


def _file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tensors", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _reserve(descriptor: int, size: int) -> None:
    """Missing memory is an error here and now; later it would be a signal."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
