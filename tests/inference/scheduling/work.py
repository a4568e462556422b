"""Work for jobs: a real function of arrays where a test wants to see when and how often it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.scheduling.job import DEFAULT_PRIORITY, BatchPlan, Job, Timing


class Doubling:
    """A session that doubles its input `x` and notes the rows of each run; `gate` holds runs back until it is set."""

    def __init__(
        self, gate: threading.Event | None = None, fail: Callable[[np.ndarray], Exception | None] | None = None
    ) -> None:
        self.rows: list[int] = []
        self.gate = gate
        self.fail = fail or (lambda _x: None)

    def run(
        self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[np.ndarray]:
        if self.gate is not None:
            assert self.gate.wait(20)
        self.rows.append(len(inputs["x"]))
        if error := self.fail(inputs["x"]):
            raise error
        return [inputs["x"] * 2]


class Work:
    def __init__(self, session: Any, x: np.ndarray, digest: str = "d", outputs: Sequence[str] | None = None) -> None:
        self.session = session
        self.digest = digest
        self.deadline = time.monotonic() + 60
        self.name = (digest, 1)
        self.x = x
        self.outputs = outputs

    def feed(self) -> tuple[dict[str, np.ndarray], Sequence[str] | None]:
        return {"x": self.x}, self.outputs

    def finish(self, arrays: Sequence[np.ndarray], timing: Timing) -> tuple[list[float], int]:
        return arrays[0].ravel().tolist(), timing.run_rows


class Ended:
    """What a job's end looks like from outside."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._condition = threading.Condition()

    def __call__(self, job: Job) -> None:
        with self._condition:
            self.jobs.append(job)
            self._condition.notify_all()

    def wait_for(self, count: int) -> list[Job]:
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.jobs) >= count, 20), f"{len(self.jobs)} of {count} ended"
            return self.jobs


def job(
    session: Any = None,
    x: Sequence[float] = (1.0,),
    *,
    owner: str = "a",
    digest: str = "d",
    cost: float = 1.0,
    priority: int = DEFAULT_PRIORITY,
    plan: BatchPlan | None = None,
    on_end: Callable[[Job], None] = lambda _job: None,
    deadline: float | None = None,
    n_bytes: int = 0,
    outputs: Sequence[str] | None = None,
) -> Job:
    work = Work(session or Doubling(), np.array(x, np.float32).reshape(-1, 1), digest, outputs)
    if deadline is not None:
        work.deadline = deadline
    return Job(work, owner, work.deadline, cost, on_end, priority=priority, plan=plan or BatchPlan(), n_bytes=n_bytes)
