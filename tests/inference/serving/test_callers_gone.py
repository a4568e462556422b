"""A caller who goes away leaves no work behind, and one who cannot be served in time is told so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from inference.scheduling.executor import Executor
from inference.scheduling.job import Job
from inference.serving import blocking, schedule
from inference.serving.blocking import CallerGone, InPlace, InThreads, run_in_place
from inference.serving.lane import _WhileConnected
from portal.lib.errors import DeadlineExceeded
from tests.inference.scheduling.work import Doubling, job


class OneThread:
    """A scheduler whose only thread is busy until `gate` is set."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.session = Doubling()
        self._executor = Executor("test", 1, longest_wait=1e9)
        self._executor.submit(job(Doubling(self.gate), owner="holder", digest="holder"))
        while self._executor.n_waiting():
            time.sleep(0.001)

    def submit(self, made: Job) -> Executor:
        self._executor.submit(made)
        return self._executor

    def n_waiting(self) -> int:
        return self._executor.n_waiting()

    def maker(self, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        return lambda on_end: job(self.session, on_end=on_end, deadline=deadline)

    def close(self) -> None:
        self.gate.set()
        self._executor.close()


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[OneThread]:
    made = OneThread()
    for module in (blocking, schedule):
        monkeypatch.setattr(module, "process_scheduler", lambda: made)
    yield made
    made.close()


def in_a_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """On a thread of its own: the browser's driver may keep a loop running on this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"type": "http.disconnect"}


def test_compute__caller_goes_away__what_waits_is_dropped_and_never_runs(busy: OneThread) -> None:
    async def run() -> None:
        with pytest.raises(CallerGone):
            await _WhileConnected(InThreads(), leaves).compute(busy.maker())
        assert busy.n_waiting() == 0

    in_a_loop(run())
    busy.gate.set()
    assert busy.session.rows == []


def test_compute__caller_stays__answered(busy: OneThread) -> None:
    async def run() -> Any:
        waiting = asyncio.ensure_future(_WhileConnected(InThreads(), stays).compute(busy.maker()))
        await asyncio.sleep(0.01)
        busy.gate.set()
        return await waiting

    assert in_a_loop(run()) == ([2.0], -1)


def test_compute__turn_does_not_come_in_time__504_and_nothing_waits(busy: OneThread) -> None:
    async def run() -> None:
        await _WhileConnected(InThreads(), stays).compute(busy.maker(0.02))

    for attempt in (lambda: in_a_loop(run()), lambda: run_in_place(InPlace().compute(busy.maker(0.02)))):
        with pytest.raises(DeadlineExceeded) as late:
            attempt()
        assert late.value.code == "deadline_in_queue"
        assert busy.n_waiting() == 0
