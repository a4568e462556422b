"""Takes everything from the model's process that running a model does not need. There is no way back."""

from __future__ import annotations

import os
import resource
import sysconfig
from contextlib import suppress

from registry.artifacts import landlock

LOCALES = ("/usr/lib/locale", "/usr/share/locale", "/usr/share/i18n")
# A model that never ends leaves the processors to the others, where they want them.
NICENESS = 15
GROUP_NICENESS = 19
# Out of 1000. When the machine runs out of memory, this process goes before the ones that serve.
OOM_SCORE = b"800"
OPEN_FILES = 64
# Measured: address space, most of it never touched, that onnxruntime 1.31 takes for the smallest model and its threads.
RUNTIME_BYTES = 160 << 20
STACK_BYTES = 8 << 20


def confine(limit_bytes: int) -> int | None:
    """Only the libraries' files, no network, no writing, and `limit_bytes` of memory for the model and its tensors.

    Returns the version of Landlock, or None where the kernel has none.
    """
    os.environ.clear()
    _let_others_go_first()
    _first_to_go()
    paths = sysconfig.get_paths()
    used = landlock.restrict((*{paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}, *LOCALES))
    _bound(limit_bytes)
    return used


def keep_in_memory(path: str) -> str:
    """A name under which the file's content can be opened when the file itself no longer can."""
    if not hasattr(os, "memfd_create"):
        return path
    memory = os.memfd_create("model", os.MFD_CLOEXEC)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while os.lseek(memory, 0, os.SEEK_CUR) < size:
            if not os.sendfile(memory, file.fileno(), None, size):
                break
    return f"/proc/self/fd/{memory}"


def _let_others_go_first() -> None:
    """Linux groups processes by session, and niceness counts within a group only: the group needs its own."""
    os.nice(NICENESS)
    with suppress(OSError), open("/proc/self/autogroup", "wb") as file:
        file.write(b"%d" % GROUP_NICENESS)


def _first_to_go() -> None:
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        file.write(OOM_SCORE)


def _bound(limit_bytes: int) -> None:
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_AS, _occupied() + RUNTIME_BYTES + limit_bytes),
    ):
        ceiling = resource.getrlimit(kind)[1]
        value = limit if ceiling == resource.RLIM_INFINITY else min(limit, ceiling)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _occupied() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
