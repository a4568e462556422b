"""Takes everything from the calling process that a validation does not need. Runs in the sandbox child only."""

from __future__ import annotations

import os
import resource
import sysconfig
from contextlib import suppress

from registry.artifacts import landlock
from registry.artifacts.limits import Limits

_LOCALES = ("/usr/lib/locale", "/usr/share/locale", "/usr/share/i18n")


def confine(limits: Limits, file_bytes: int) -> int | None:
    """Only the libraries' files, no network, no writing, bounded memory and time. Returns the Landlock ABI or None."""
    os.environ.clear()
    landlock.drop_privileges()
    used = landlock.restrict((*_libraries(), *_LOCALES))
    _bound(limits, file_bytes)
    return used


def _libraries() -> set[str]:
    paths = sysconfig.get_paths()
    return {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}


def _bound(limits: Limits, file_bytes: int) -> None:
    cpu = int(limits.scaled(limits.cpu_seconds, file_bytes))
    _set(resource.RLIMIT_CPU, cpu, cpu + 2)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_STACK, limits.stack_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, _address_space() + limits.memory_for(file_bytes)),
    ):
        _set(kind, value, value)


def _set(kind: int, soft: int, hard: int) -> None:
    """An administrator's lower limit stays; a system that lacks one of them keeps the others."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, hard))


def _address_space() -> int:
    """What the process occupies already: mostly libraries."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
