"""All executors of one process: one with as many threads as cores, and one thread for each isolated version.

An isolated version computes in a process of its own, which may hang; so it must not take a thread from the others.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Hashable, Iterable

from inference.scheduling.executor import Executor
from inference.scheduling.job import Job

N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Scheduler:
    def __init__(self, longest_wait: float) -> None:
        self._longest_wait = longest_wait
        self._shared = Executor("compute", N_CORES, longest_wait)
        self._own: dict[str, Executor] = {}
        self._lock = threading.Lock()

    def executor(self, apart: str | None = None) -> Executor:
        """The one that all share, or that of the isolated version with this digest."""
        if apart is None:
            return self._shared
        own = self._own.get(apart)
        if own is None:
            with self._lock:
                own = self._own.setdefault(apart, Executor("isolated", 1, self._longest_wait))
        return own

    def forget_all_but(self, digests: Iterable[str]) -> None:
        """Ends the threads of isolated versions that are not loaded any more."""
        kept = set(digests)
        with self._lock:
            gone = [self._own.pop(digest) for digest in list(self._own) if digest not in kept]
        for executor in gone:
            executor.close()

    def submit(self, job: Job) -> Executor:
        executor = self.executor(job.apart)
        executor.submit(job)
        return executor

    def n_waiting(self, owner: Hashable | None = None) -> int:
        return sum(executor.n_waiting(owner) for executor in (self._shared, *list(self._own.values())))

    def waiting(self) -> dict[tuple[str, int], int]:
        """How many requests wait, by endpoint and version."""
        found: Counter[tuple[str, int]] = Counter()
        for executor in (self._shared, *list(self._own.values())):
            found.update(executor.waiting())
        return dict(found)

    def close(self) -> None:
        for executor in (self._shared, *list(self._own.values())):
            executor.close()
