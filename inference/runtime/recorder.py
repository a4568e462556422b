"""Writes down what each thread of a serving process runs, before it runs it, where it outlives the process.

A process has one file, mapped into memory: a header, then a slot per thread with the digest of what it runs, or zeros,
and the thread's identity. It holds a lock on the file as long as it lives, so whoever gets the lock knows that it is
gone, however it ended. Beside it lies what Python's fault handler wrote when a deadly signal came: which signal, and
which thread met it. Without that nobody is blamed: whoever ran when somebody pulled the plug did nothing wrong.
"""

from __future__ import annotations

import faulthandler
import fcntl
import mmap
import os
import re
import struct
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from time import time
from typing import NamedTuple

from inference.runtime.deaths import Death

DIGEST_BYTES = 32
SLOTS = 512
_STRIDE = 64
# A mark, the process's own identity, and the start of the machine.
_HEADER = struct.Struct("<8s16s36s")
_IDENTITY = struct.Struct("<Q")
_HEADER_BYTES = 128
_FILE_BYTES = _HEADER_BYTES + SLOTS * _STRIDE
_MARK = b"running1"
_NAME = re.compile(r"\d{1,10}-[0-9a-f]{32}")
_EMPTY = bytes(DIGEST_BYTES)
_ALL = slice(None)
# What the fault handler calls the signals that it knows.
_FAULTS = {
    "Segmentation fault": "SIGSEGV",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
}
_FAULT = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)
_MET_BY = re.compile(r"^Current thread 0x([0-9a-f]+) ", re.MULTILINE)


class Slot:
    """One thread's. To enter and to leave is one copy of 32 bytes each."""

    __slots__ = ("_free", "_index", "_place")

    def __init__(self, place: memoryview, index: int, free: list[int]) -> None:
        self._place = place
        self._index = index
        self._free = free

    def enter(self, digest: bytes) -> None:
        """`digest` has 32 bytes."""
        self._place[_ALL] = digest

    def leave(self) -> None:
        self._place[_ALL] = _EMPTY

    def __del__(self) -> None:
        self.leave()
        if self._index >= 0:
            self._free.append(self._index)


class Recorder:
    """Of this process; to be made after a fork, not before it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path, self._lock = _new_file(folder)
        self._faults = open(_fault_file(self._path), "wb", buffering=0)  # noqa: SIM115 - for as long as the process lives
        faulthandler.enable(self._faults, all_threads=True)
        self._memory = memoryview(mmap.mmap(self._lock, _FILE_BYTES))
        self._free = list(range(SLOTS))
        self._threads = threading.local()

    def slot(self) -> Slot:
        """The calling thread's, its own until the thread ends. Where there are too many threads it records nothing."""
        try:
            return self._threads.slot
        except AttributeError:
            self._threads.slot = self._new_slot()
            return self._threads.slot

    def close(self) -> None:
        """Leave nothing behind. Threads that still run may go on using their slots."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            _fault_file(self._path).unlink(missing_ok=True)
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _new_slot(self) -> Slot:
        try:
            index = self._free.pop()
        except IndexError:
            return Slot(memoryview(bytearray(DIGEST_BYTES)), -1, self._free)
        start = _HEADER_BYTES + index * _STRIDE
        _IDENTITY.pack_into(self._memory, start + DIGEST_BYTES, threading.get_ident())
        return Slot(self._memory[start : start + DIGEST_BYTES], index, self._free)


def left_behind(folder: Path) -> list[Death]:
    """What processes that are gone were running when they ended; each is found once, whoever looks.

    Only who met a deadly signal is to blame, and nobody for an end before the machine was started.
    """
    deaths: list[Death] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = _owned(path)
        if file is not None:
            fault = _read_fault(_fault_file(path))
            deaths += _deaths(int(path.name.partition("-")[0]), os.pread(file, _FILE_BYTES, 0), fault)
            # While the lock is ours, so that nobody else finds it too.
            path.unlink(missing_ok=True)
            _fault_file(path).unlink(missing_ok=True)
            os.close(file)
    return deaths


def _new_file(folder: Path) -> tuple[Path, int]:
    while True:
        identity = uuid.uuid4()
        path = folder / f"{os.getpid()}-{identity.hex}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        # Whoever looks around may have taken it for one left behind.
        if os.fstat(file).st_nlink:
            os.pwrite(file, _HEADER.pack(_MARK, identity.bytes, _boot()), 0)
            os.ftruncate(file, _FILE_BYTES)
            return path, file
        os.close(file)


def _owned(path: Path) -> int | None:
    """The file, locked by us, if its process is gone and nobody else has found it."""
    if not _NAME.fullmatch(path.name):
        return None
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_nlink:
            return file
    except OSError:
        pass
    os.close(file)
    return None


class Fault(NamedTuple):
    """`thread` is None where the signal met a thread that Python does not know."""

    signal: str
    thread: int | None


def _fault_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.fault")


def _read_fault(path: Path) -> Fault | None:
    try:
        text = path.read_bytes()[:100_000].decode("ascii", "replace")
    except OSError:
        return None
    what = _FAULT.search(text)
    if what is None or what[1] not in _FAULTS:
        return None
    thread = _MET_BY.search(text)
    return Fault(_FAULTS[what[1]], int(thread[1], 16) if thread else None)


def _deaths(pid: int, content: bytes, fault: Fault | None) -> list[Death]:
    if len(content) != _FILE_BYTES or fault is None:
        return []
    mark, identity, boot = _HEADER.unpack_from(content)
    if mark != _MARK or boot != _boot():
        return []
    running = _running(content, fault.thread)
    now = time()
    return [
        Death(f"{identity.hex()}-{sha256[:16]}", sha256, "crashed", fault.signal, False, pid, now) for sha256 in running
    ]


def _running(content: bytes, thread: int | None) -> list[str]:
    """What that thread ran; where it is not known, what ran at all if it was one version only."""
    found = {}
    for at in range(_HEADER_BYTES, _FILE_BYTES, _STRIDE):
        digest = content[at : at + DIGEST_BYTES]
        if digest != _EMPTY:
            found[_IDENTITY.unpack_from(content, at + DIGEST_BYTES)[0]] = digest.hex()
    if thread is not None:
        return [found[thread]] if thread in found else []
    return sorted(set(found.values())) if len(set(found.values())) == 1 else []


def _boot() -> bytes:
    """Of the machine: the same until it is started again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36]
    except OSError:
        return b""
