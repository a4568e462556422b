"""How much memory this process holds, and when it is time to begin anew.

Libraries fragment their heaps over weeks. A process that has grown far beyond what its sessions explain ends as on any
graceful stop, and gunicorn starts a fresh one; requests under way finish, and the other processes serve meanwhile.
"""

from __future__ import annotations

import os
import resource
import signal

import structlog

log = structlog.get_logger(__name__)
_PAGE = resource.getpagesize()
_asked = False


def resident_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def recycle_if_grown(session_bytes: int, limit: int) -> bool:
    """Asks this process to end, once, when it holds more than `limit` bytes beside its sessions; 0 is no limit."""
    global _asked
    held = resident_bytes() - session_bytes
    if _asked or not limit or held <= limit:
        return False
    _asked = True
    log.warning("process_recycled", held_bytes=held, limit_bytes=limit)
    os.kill(os.getpid(), signal.SIGTERM)
    return True
