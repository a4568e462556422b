"""What is known when a process ended while it ran a version."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Death(NamedTuple):
    """`key` names this one death everywhere, so that it counts once; `at` is in seconds since the epoch.

    `signal` is its name, such as SIGSEGV, or empty. `isolated` says that only the version's own process ended.
    """

    key: str
    sha256: str
    cause: Literal["crashed", "out_of_memory", "hung"]
    signal: str
    isolated: bool
    pid: int
    at: float
