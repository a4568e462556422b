"""What a confined process keeps: the folders that it may read, and the limits that it cannot raise again."""

from __future__ import annotations

import resource
import sysconfig
from contextlib import suppress

_LOCALES = ("/usr/lib/locale", "/usr/share/locale", "/usr/share/i18n")


def readable_folders() -> tuple[str, ...]:
    """The libraries', and what the operators for texts read about languages."""
    paths = sysconfig.get_paths()
    return (*{paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}, *_LOCALES)


def bound(kind: int, soft: int, hard: int | None = None) -> None:
    """`hard` is `soft` where it is not given. An administrator's lower limit stays; a system that lacks one of them
    keeps the others."""
    hard = soft if hard is None else hard
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, hard))


def address_space() -> int:
    """Bytes that the process occupies already, mostly for libraries; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
