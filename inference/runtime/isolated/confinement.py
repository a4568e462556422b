"""Takes everything from the model's process that running a model does not need. There is no way back."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from registry.artifacts import landlock
from registry.artifacts.bounds import address_space, bound, readable_folders
from registry.artifacts.politeness import let_others_go_first

# Out of 1000. When the machine runs out of memory, this process goes before the ones that serve.
OOM_SCORE = b"800"
OPEN_FILES = 64
# Measured: address space, most of it never touched, that onnxruntime 1.31 takes for the smallest model and its threads.
RUNTIME_BYTES = 160 << 20
STACK_BYTES = 8 << 20


def confine(limit_bytes: int, n_files: int = 0) -> int | None:
    """Only the libraries' files, no network, no writing, and `limit_bytes` of memory for the model and its tensors.

    `n_files` of the model's own are open beside the usual ones, and what is mapped of them already comes on top.
    Returns the version of Landlock, or None where the kernel has none.
    """
    os.environ.clear()
    # A model that never ends leaves the processors to the others, where they want them.
    let_others_go_first()
    _first_to_go()
    used = landlock.restrict(readable_folders())
    _bound(limit_bytes, n_files)
    return used


def keep_in_memory(descriptor: int) -> int:
    """A descriptor of the file's content by which it can be opened again when the file itself no longer can."""
    if not hasattr(os, "memfd_create") or os.readlink(f"/proc/self/fd/{descriptor}").startswith("/memfd:"):
        return descriptor
    memory = os.memfd_create("model", os.MFD_CLOEXEC)
    size = os.fstat(descriptor).st_size
    # Where the other side reads the same file, the position is shared with it.
    position = 0
    while position < size:
        sent = os.sendfile(memory, descriptor, position, size - position)
        if not sent:
            break
        position += sent
    return memory


def _first_to_go() -> None:
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        file.write(OOM_SCORE)


def _bound(limit_bytes: int, n_files: int) -> None:
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES + 2 * n_files),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_AS, address_space() + RUNTIME_BYTES + limit_bytes),
    ):
        bound(kind, limit)
