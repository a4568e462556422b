"""Threads that take jobs from a fair queue, and the door in front of it that refuses what would wait in vain."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Hashable

import structlog

from inference.scheduling.fair import FairQueue
from inference.scheduling.job import Job, State
from inference.scheduling.joining import perform
from portal.lib.errors import Unavailable

log = structlog.get_logger(__name__)
MOST_WAITING_PER_OWNER = 512
MOST_WAITING_BYTES = 512 * 1024**2


class Executor:
    """`n_threads` jobs run at once. `longest_wait` is how many seconds a job may be expected to wait at most."""

    def __init__(self, name: str, n_threads: int, longest_wait: float) -> None:
        self._name = name
        self._n_threads = n_threads
        self._longest_wait = longest_wait
        self._queue = FairQueue()
        self._condition = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._n_idle = 0
        self._n_joining = 0
        self._n_bytes = 0
        self._closed = False

    def submit(self, job: Job) -> None:
        """Raises Unavailable (`overloaded`) where the job would wait for too long, without keeping it."""
        with self._condition:
            if self._closed:
                raise _stopping()
            self._admit(job)
            job.waiting_since = time.monotonic()
            self._queue.push(job)
            self._n_bytes += job.n_bytes
            if self._queue.n_waiting > self._n_idle and len(self._threads) < self._n_threads:
                self._start_thread()
            # One call would wake a thread that waits for something to join, which may not be what came.
            self._condition.notify(1 + self._n_joining)

    def drop(self, job: Job) -> bool:
        """Takes back a job that nobody waits for any more. False when it runs already."""
        with self._condition:
            dropped = self._queue.drop(job)
            if dropped:
                self._n_bytes -= job.n_bytes
            return dropped

    def n_waiting(self, owner: Hashable | None = None) -> int:
        return self._queue.n_waiting if owner is None else self._queue.n_waiting_for(owner)

    def waiting(self) -> Counter[tuple[str, int]]:
        with self._condition:
            return Counter(job.work.name for job in self._queue.jobs())

    def close(self) -> None:
        """What waits is still done; the threads end then."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _admit(self, job: Job) -> None:
        expected = self._queue.wait_of(job.owner, self._n_threads)
        too_many = self._queue.n_waiting_for(job.owner) >= MOST_WAITING_PER_OWNER
        too_big = self._n_bytes + job.n_bytes > MOST_WAITING_BYTES and self._n_bytes > 0
        until_deadline = job.deadline - time.monotonic()
        if too_many or too_big or expected > min(self._longest_wait, until_deadline):
            raise Unavailable(
                "Too many predictions are waiting: try again in a moment.",
                code="overloaded",
                retry_after=max(1, round(min(expected, 30))),
            )

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (jobs := self._next()) is not None:
            begin = time.monotonic()
            try:
                perform(jobs)
            except Exception:
                log.exception("prediction_thread_failed")
            self._settle(jobs, time.monotonic() - begin)

    def _settle(self, jobs: list[Job], seconds: float) -> None:
        with self._condition:
            for job in jobs:
                self._queue.settle(job, seconds / len(jobs))

    def _next(self) -> list[Job] | None:
        with self._condition:
            while True:
                job = self._queue.pop()
                if job is not None:
                    return self._begin(job)
                if self._closed:
                    return None
                self._n_idle += 1
                self._condition.wait()
                self._n_idle -= 1

    def _begin(self, first: Job) -> list[Job]:
        first.state = State.RUNNING
        jobs = [first]
        plan = first.plan
        if plan.max_size > 1:
            jobs.extend(self._queue.take_like(first, plan.max_size - 1))
            end = first.waiting_since + plan.delay
            while len(jobs) < plan.max_size and (left := end - time.monotonic()) > 0 and not self._closed:
                self._n_joining += 1
                self._condition.wait(left)
                self._n_joining -= 1
                jobs.extend(self._queue.take_like(first, plan.max_size - len(jobs)))
        for job in jobs:
            job.begin()
            self._n_bytes -= job.n_bytes
        return jobs


def _stopping() -> Unavailable:
    return Unavailable("This process is stopping: try again.", code="stopping", retry_after=1)
