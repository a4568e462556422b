"""Takes everything from the calling process that a validation does not need. Runs in the sandbox child only."""

from __future__ import annotations

import os
import resource

from registry.artifacts import landlock
from registry.artifacts.bounds import address_space, bound, readable_folders
from registry.artifacts.limits import Limits
from registry.artifacts.politeness import let_others_go_first


def confine(limits: Limits, file_bytes: int, n_data_files: int = 0) -> int | None:
    """Only the libraries' files, no network, no writing, bounded memory and time. Returns the Landlock ABI or None."""
    os.environ.clear()
    let_others_go_first()
    landlock.drop_privileges()
    used = landlock.restrict(readable_folders())
    _bound(limits, file_bytes, n_data_files)
    return used


def _bound(limits: Limits, file_bytes: int, n_data_files: int) -> None:
    cpu = int(limits.scaled(limits.cpu_seconds, file_bytes))
    bound(resource.RLIMIT_CPU, cpu, cpu + 2)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        # Each data file is open, and Python opens it once more to map it.
        (resource.RLIMIT_NOFILE, limits.open_files + 2 * n_data_files),
        (resource.RLIMIT_STACK, limits.stack_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, address_space() + limits.memory_for(file_bytes)),
    ):
        bound(kind, value)
