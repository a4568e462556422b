"""How the bytes of a part get to the disk: in pieces, hashed on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from registry.artifacts.incoming import flush_early, full_is_unavailable
from registry.artifacts.part_claims import Claim

# Larger ones cost more: the C library asks the system for their memory anew each time.
BLOCK = 1 << 18


def run(read: Callable[[int], bytes], length: int, write: Callable[[bytes, int], None]) -> tuple[str, int]:
    """SHA-256 and number of the bytes that came, each piece written where it belongs."""
    digest, size = hashlib.sha256(), 0
    while size < length and (chunk := read(min(BLOCK, length - size))):
        digest.update(chunk)
        with full_is_unavailable():
            write(chunk, size)
        size += len(chunk)
    return digest.hexdigest(), size


def write_claimed(target: int, own: Claim, start: int, chunk: bytes, offset: int) -> None:
    """Nothing more once the place was taken over: then these bytes are compared only."""
    with own.held() as is_mine:
        if is_mine:
            write_whole(target, chunk, start + offset)
            flush_early(target, start, offset, offset + len(chunk))


def write_whole(descriptor: int, chunk: bytes, offset: int) -> None:
    """A write may take less than it was given, as on the last bytes of a disk."""
    view = memoryview(chunk)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def copy(source: int, target: int, offset: int, size: int) -> None:
    done = 0
    while done < size:
        chunk = os.pread(source, min(BLOCK, size - done), done)
        write_whole(target, chunk, offset + done)
        done += len(chunk)


def sync(descriptor: int) -> None:
    """All that a later read needs; Linux spares the times of the file that way."""
    getattr(os, "fdatasync", os.fsync)(descriptor)
