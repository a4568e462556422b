"""One prediction that waits for a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

import numpy as np

from inference.runtime.surface import Session

# Where a request that names no priority stands among those that do; 1 comes first.
DEFAULT_PRIORITY = 100


class Work(Protocol):
    """What is to be done for one request. Both methods may raise PortalError and run on a worker thread."""

    session: Session
    digest: str
    deadline: float

    @property
    def name(self) -> tuple[str, int]:
        """The endpoint and the version's number, for people."""

    def feed(self) -> tuple[dict[str, np.ndarray], Sequence[str] | None]:
        """The inputs, and the outputs asked for or None for all."""

    def finish(self, arrays: Sequence[np.ndarray], timing: Timing) -> Any: ...


class Timing(NamedTuple):
    """In seconds. Of a run that several requests shared, one has all its rows as `run_rows` and the others 0.

    `run_rows` is -1 for a request that had its run for itself.
    """

    queue: float
    run: float
    run_rows: int = -1


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How far requests for one version may be joined: rows in all, and seconds that the first may wait for others."""

    max_size: int = 1
    delay: float = 0.0


ALONE = BatchPlan()


class State(Enum):
    WAITING = auto()
    RUNNING = auto()
    ENDED = auto()


@dataclass(eq=False, slots=True)
class Job:
    """`owner` shares its time with the other owners; `cost` is the seconds that the run is expected to take.

    `apart` is the digest of a version that runs in a process of its own, and so gets a thread of its own too.
    `on_end` is called once, on the worker's thread; `result` or `error` is set by then. A job that was dropped ends
    without it.
    """

    work: Work
    owner: Hashable
    deadline: float
    cost: float
    on_end: Callable[[Job], None]
    priority: int = DEFAULT_PRIORITY
    plan: BatchPlan = ALONE
    n_bytes: int = 0
    apart: str | None = None
    state: State = State.WAITING
    waiting_since: float = 0.0
    started: float = 0.0
    result: Any = None
    error: BaseException | None = None

    def begin(self) -> None:
        self.started = time.monotonic()
        self.state = State.RUNNING

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        self.result, self.error, self.state = result, error, State.ENDED
        self.on_end(self)

    @property
    def queued(self) -> float:
        return self.started - self.waiting_since
