"""A queue that gives each owner an equal share of the time, however much work one of them brings.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) with equal weights: each owner has a virtual time that grows by
the seconds its work takes, and the owner that has had the least goes next. Who was idle starts at the present virtual
time, so that nobody saves up. Among the jobs of one owner priority decides, then age. Not thread-safe.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count

from inference.scheduling.job import Job, State

MOST_IDLE_OWNERS = 1_000


@dataclass(slots=True)
class _Owner:
    time: float
    heap: list[tuple[int, int, Job]] = field(default_factory=list)
    n_waiting: int = 0
    cost: float = 0.0


class FairQueue:
    def __init__(self) -> None:
        self._owners: dict[Hashable, _Owner] = {}
        self._numbers = count()
        self._now = 0.0
        self.n_waiting = 0

    def push(self, job: Job) -> None:
        owner = self._owners.get(job.owner)
        if owner is None:
            owner = self._owners[job.owner] = _Owner(self._now)
        if not owner.n_waiting:
            owner.time = max(owner.time, self._now)
        heapq.heappush(owner.heap, (job.priority, next(self._numbers), job))
        self._count(owner, job, 1)

    def pop(self) -> Job | None:
        """The next job, or None when nothing waits. It is charged with its expected cost at once."""
        owners = [owner for owner in self._owners.values() if owner.n_waiting]
        if not owners:
            return None
        owner = min(owners, key=lambda owner: owner.time)
        self._now = owner.time
        return self._take(owner)

    def take_like(self, first: Job, limit: int) -> Iterator[Job]:
        """Up to `limit` further jobs of the same owner for the same version, in their order, as long as they lead."""
        owner = self._owners[first.owner]
        for _ in range(limit):
            while owner.heap and owner.heap[0][2].state is not State.WAITING:
                heapq.heappop(owner.heap)
            if not owner.heap or owner.heap[0][2].work.digest != first.work.digest:
                return
            yield self._take(owner)

    def _take(self, owner: _Owner) -> Job:
        while True:
            job = heapq.heappop(owner.heap)[2]
            if job.state is State.WAITING:
                self._count(owner, job, -1)
                owner.time += job.cost
                return job

    def drop(self, job: Job) -> bool:
        """Whether it was still waiting; its place in the heap is cleared when it comes up."""
        if job.state is not State.WAITING:
            return False
        job.state = State.ENDED
        owner = self._owners[job.owner]
        self._count(owner, job, -1)
        if not owner.n_waiting:
            owner.heap.clear()
        return True

    def settle(self, job: Job, seconds: float) -> None:
        """Corrects what the owner was charged by what the job really took."""
        owner = self._owners.get(job.owner)
        if owner is not None:
            owner.time += seconds - job.cost
        if len(self._owners) > MOST_IDLE_OWNERS:
            self._owners = {key: kept for key, kept in self._owners.items() if kept.n_waiting}

    def wait_of(self, owner: Hashable, n_threads: int) -> float:
        """Seconds until a new job of this owner would begin, if all goes as expected."""
        busy = [other for other in self._owners.values() if other.n_waiting]
        own = self._owners.get(owner)
        own_cost = own.cost if own else 0.0
        # Everybody gets through as much as this owner brings, or all that they have.
        return sum(min(other.cost, own_cost) for other in busy) / n_threads

    def jobs(self) -> Iterator[Job]:
        """All that wait, in no order."""
        for owner in self._owners.values():
            yield from (job for _rank, _number, job in owner.heap if job.state is State.WAITING)

    def n_waiting_for(self, owner: Hashable) -> int:
        found = self._owners.get(owner)
        return found.n_waiting if found else 0

    def _count(self, owner: _Owner, job: Job, sign: int) -> None:
        owner.n_waiting += sign
        owner.cost = max(0.0, owner.cost + sign * job.cost) if owner.n_waiting else 0.0
        self.n_waiting += sign
