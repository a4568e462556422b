"""Where the prediction path waits, when it must, so that the event loop never does.

`ask` looks something up in PostgreSQL, `load` brings a version's session, `compute` runs a heavy model when its turn
has come. Both ways of waiting share the scheduler and the session pool of the process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from django.db import Error as DatabaseError
from django.db import InterfaceError, close_old_connections

from inference.routing.snapshot import VersionRef
from inference.runtime.surface import Session
from inference.scheduling.job import Job, State
from inference.serving.schedule import process_scheduler
from inference.serving.sessions import load_version
from portal.lib.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")


class CallerGone(Exception):
    """Nobody waits for the answer any more."""


class Waiting(Protocol):
    """How a door waits: the ASGI lane on its event loop, the WSGI door in place."""

    def ask(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...

    def load(self, version: VersionRef) -> Awaitable[Session]: ...

    def compute(self, make_job: Callable[[Callable[[Job], None]], Job]) -> Awaitable[Any]:
        """`make_job` is given what the job has to call at its end. Raises what the job raised, or DeadlineExceeded."""


def with_database(function: Callable[..., T], *args: Any) -> T:
    """Runs it on a healthy connection. Raises Unavailable when PostgreSQL does not answer."""
    close_old_connections()
    try:
        return function(*args)
    except (DatabaseError, InterfaceError):
        raise Unavailable("This cannot be looked up right now: try again.", code="store_away", retry_after=2) from None


def too_late(waiting: bool = False) -> DeadlineExceeded:
    """`waiting`: its turn had not come, which says nothing about the model."""
    if waiting:
        return DeadlineExceeded("The prediction's turn did not come in time: try again.", code="deadline_in_queue")
    return DeadlineExceeded("The prediction was not done in time: send fewer rows at once, or allow it more time.")


class InThreads:
    """For the event loop of one process."""

    def __init__(self) -> None:
        self._asking = ThreadPoolExecutor(4, thread_name_prefix="ask")
        self._loading = ThreadPoolExecutor(2, thread_name_prefix="load")
        self._loads: dict[int, asyncio.Future[Session]] = {}

    async def ask(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._asking, with_database, function, *args)

    async def load(self, version: VersionRef) -> Session:
        """However many requests wait for one version, one thread does: the others stay free for other versions."""
        loading = self._loads.get(version.id)
        if loading is None:
            loading = asyncio.get_running_loop().run_in_executor(self._loading, load_version, version)
            self._loads[version.id] = loading
            loading.add_done_callback(lambda _ended: self._loads.pop(version.id, None))
        return await asyncio.shield(loading)

    async def compute(self, make_job: Callable[[Callable[[Job], None]], Job]) -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def on_end(job: Job) -> None:
            loop.call_soon_threadsafe(_resolve, done, job)

        job = make_job(on_end)
        executor = process_scheduler().submit(job)
        timer = loop.call_later(job.deadline - time.monotonic(), _expire, done, job)
        try:
            return await done
        finally:
            timer.cancel()
            # Whoever leaves early, by the deadline or because the caller went away, leaves no work behind.
            executor.drop(job)


def _resolve(done: asyncio.Future[Any], job: Job) -> None:
    if done.done():
        return
    if job.error is not None:
        done.set_exception(job.error)
    else:
        done.set_result(job.result)


def _expire(done: asyncio.Future[Any], job: Job) -> None:
    if not done.done():
        done.set_exception(too_late(job.state is State.WAITING))


class InPlace:
    """For a thread that may block: a WSGI request, a page, a test."""

    async def ask(self, function: Callable[..., T], *args: Any) -> T:
        return with_database(function, *args)

    async def load(self, version: VersionRef) -> Session:
        return load_version(version)

    async def compute(self, make_job: Callable[[Callable[[Job], None]], Job]) -> Any:
        ended = threading.Event()
        job = make_job(lambda _job: ended.set())
        executor = process_scheduler().submit(job)
        if not ended.wait(max(0.0, job.deadline - time.monotonic())):
            raise too_late(executor.drop(job))
        if job.error is not None:
            raise job.error
        return job.result


def run_in_place(work: Any) -> Any:
    """Drives a coroutine that never really waits (see `InPlace`) to its end, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("The coroutine waited for an event loop.")
