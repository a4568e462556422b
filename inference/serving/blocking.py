"""Where the prediction path waits, when it must: two thread pools per process, so that the event loop never does.

`ask` runs look-ups in PostgreSQL and session loads; `compute` runs heavy models, as many at once as there are
cores, with a bounded queue in front that refuses early instead of growing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from django.db import Error as DatabaseError
from django.db import InterfaceError, close_old_connections

from portal.lib.errors import Unavailable

T = TypeVar("T")
N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MOST_WAITING = 512


class Waiting(Protocol):
    """How a door waits: the ASGI lane on its thread pools, the WSGI door in place."""

    def ask(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...

    def compute(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


def with_database(function: Callable[..., T], *args: Any) -> T:
    """Runs it on a healthy connection. Raises Unavailable when PostgreSQL does not answer."""
    close_old_connections()
    try:
        return function(*args)
    except (DatabaseError, InterfaceError):
        raise Unavailable("This cannot be looked up right now: try again.", code="store_away", retry_after=2) from None


class InThreads:
    """For the event loop of one process."""

    def __init__(self) -> None:
        self._asking = ThreadPoolExecutor(4, thread_name_prefix="ask")
        self._computing = ThreadPoolExecutor(N_CORES, thread_name_prefix="compute")
        self._n_waiting = 0

    async def ask(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._asking, with_database, function, *args)

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        if self._n_waiting >= MOST_WAITING:
            raise Unavailable(
                "Too many predictions are waiting: try again in a moment.", code="overloaded", retry_after=1
            )
        self._n_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._computing, function, *args)
        finally:
            self._n_waiting -= 1


class InPlace:
    """For a thread that may block: a WSGI request, a page, a test."""

    async def ask(self, function: Callable[..., T], *args: Any) -> T:
        return with_database(function, *args)

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)


def run_in_place(work: Any) -> Any:
    """Drives a coroutine that never really waits (see `InPlace`) to its end, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("The coroutine waited for an event loop.")
