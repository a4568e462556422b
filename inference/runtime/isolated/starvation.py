"""Tells a process that will not stop from one that gets no processor to stop on.

On a machine that is overloaded a polite process may miss its deadline through no fault of the model.
"""

from __future__ import annotations

import os
import time

WATCHED_SECONDS = 0.1
# A share of one processor below which a process that wants to run does not get to.
LITTLE = 0.5


def is_starved(pid: int) -> bool:
    """Watches it for a tenth of a second, unless it does not want to run at all."""
    before = _look(pid)
    if before is None or before[0] != "R":
        return False
    started = time.monotonic()
    time.sleep(WATCHED_SECONDS)
    after = _look(pid)
    return after is not None and after[1] - before[1] < LITTLE * (time.monotonic() - started)


def _look(pid: int) -> tuple[str, float] | None:
    """Its state and the processor's seconds that it has used; None where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None
