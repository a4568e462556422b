"""Confines the calling process with Landlock, Linux's unprivileged sandbox, through its three system calls.

Source: https://docs.kernel.org/userspace-api/landlock.html. Where the kernel has no Landlock, `restrict` says so by
returning None and the other limits stand alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
# These system calls have the same numbers on every architecture that Linux added after 2.6, and on x86-64.
_MACHINES = {"x86_64", "aarch64", "riscv64"}

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights by the ABI version that brought them: 13 in the first, then rename across folders, truncate, ioctl on devices.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_RIGHTS = 0b11
_SCOPES = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def abi() -> int | None:
    """The version of Landlock that the kernel offers."""
    if _libc is None or platform.machine() not in _MACHINES:
        return None
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    return version if version > 0 else None


def drop_privileges() -> None:
    """No set-uid program gives anything back, and the process dies with the one that made it."""
    if _libc is not None:
        for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_PDEATHSIG, 9)):
            _libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0)))


def restrict(readable: Iterable[str]) -> int | None:
    """From here on only what lies beneath `readable` can be opened, to read; no TCP, no signals. Returns the ABI."""
    version = abi()
    if version is None or _libc is None:
        return None
    files = _FILE_RIGHTS[min(version, 5)]
    rules = _Ruleset(files, _TCP_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return None
    try:
        for path in readable:
            _allow(ruleset, path)
        done = _libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    finally:
        os.close(ruleset)
    return version if done else None


def _allow(ruleset: int, path: str) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    assert _libc is not None
    try:
        rule = _PathBeneath(_READ_FILE | _READ_DIR, folder)
        _libc.syscall(
            _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
        )
    finally:
        os.close(folder)
