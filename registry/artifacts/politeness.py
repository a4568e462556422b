"""Lets everybody else go first: whoever is served now comes before what was uploaded just now."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 15
GROUP_NICENESS = 19


def let_others_go_first() -> None:
    """Linux groups processes by session, and niceness counts within a group only: the group needs its own."""
    os.nice(NICENESS)
    with suppress(OSError), open("/proc/self/autogroup", "wb") as file:
        file.write(b"%d" % GROUP_NICENESS)


def waited_seconds(pid: int, elapsed: float) -> float:
    """For how long the process was kept from the processors since it began, `elapsed` seconds ago.

    0 where the system does not say. Linux adds a wait to schedstat only when it is over (the second number, in
    nanoseconds), so of a process that wants to go on just now all counts in which it did not compute.
    """
    folder = Path(f"/proc/{pid}")
    with suppress(OSError, IndexError, ValueError):
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        if fields[0] == b"R":
            computed = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            return max(0.0, elapsed - computed)
        return int((folder / "schedstat").read_bytes().split()[1]) / 1e9
    return 0.0
