"""The sessions of one process: loaded once, shared by all threads, dropped by memory budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock
from time import monotonic, time
from typing import NamedTuple

from inference.runtime.session import ModelSession
from portal.lib.errors import PortalError, Unavailable

FAILURE_SECONDS = 5.0


class Entry:
    """`runs` and `last_used` are written without a lock: they steer eviction and need not be exact."""

    __slots__ = ("last_used", "runs", "session")

    def __init__(self, session: ModelSession) -> None:
        self.session = session
        self.runs = 0
        self.last_used = monotonic()

    def use(self) -> ModelSession:
        self.last_used = monotonic()
        self.runs += 1
        return self.session


class SessionStats(NamedTuple):
    """`last_used` is in seconds since the epoch."""

    digest: str
    memory_bytes: int
    runs: int
    last_used: float


class Failure(NamedTuple):
    error: PortalError
    until: float


class SessionPool:
    """Sessions by the digest of their artifact. Dropping one drops a reference: runs in progress end well."""

    def __init__(self, loader: Callable[[str], ModelSession], budget_bytes: int) -> None:
        self._loader = loader
        self._budget_bytes = budget_bytes
        self._entries: dict[str, Entry] = {}
        self._loading: dict[str, Future[ModelSession]] = {}
        self._failures: dict[str, Failure] = {}
        self._kept: frozenset[str] = frozenset()
        self._lock = Lock()

    def get(self, digest: str) -> ModelSession | None:
        """The session if it is loaded, at once; a call counts as a run."""
        entry = self._entries.get(digest)
        return None if entry is None else entry.use()

    def load(self, digest: str) -> ModelSession:
        """The session, loaded if it must be; blocks. However many threads ask, one loads.

        Raises what the loader raised, or Unavailable for what is not a PortalError. A failure is remembered for five
        seconds, so that a broken file is not read for every request.
        """
        with self._lock:
            entry = self._entries.get(digest)
            if entry is not None:
                return entry.use()
            self._raise_if_failed(digest)
            future = self._loading.get(digest)
            mine = future is None
            if future is None:
                future = self._loading[digest] = Future()
        if mine:
            self._load_into(future, digest)
        error = future.exception()
        if error is not None:
            raise _again(error)
        return self.get(digest) or future.result()

    def keep(self, digests: Iterable[str]) -> None:
        """These, the live ones, are never dropped. Replaces the earlier set."""
        with self._lock:
            self._kept = frozenset(digests)
            self._evict(spared=None)

    def stats(self) -> list[SessionStats]:
        to_epoch = time() - monotonic()
        with self._lock:
            entries = list(self._entries.items())
        return [
            SessionStats(digest, entry.session.memory_bytes, entry.runs, entry.last_used + to_epoch)
            for digest, entry in entries
        ]

    def _load_into(self, future: Future[ModelSession], digest: str) -> None:
        try:
            session = self._loader(digest)
        except BaseException as error:
            with self._lock:
                self._failures[digest] = Failure(_again(error), monotonic() + FAILURE_SECONDS)
                del self._loading[digest]
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        with self._lock:
            self._entries[digest] = Entry(session)
            del self._loading[digest]
            self._evict(spared=digest)
        future.set_result(session)

    def _raise_if_failed(self, digest: str) -> None:
        failure = self._failures.get(digest)
        if failure is None:
            return
        if monotonic() < failure.until:
            raise _again(failure.error)
        del self._failures[digest]

    def _evict(self, spared: str | None) -> None:
        """Drop the longest unused until the rest fits. `spared` was asked for just now and stays even if too big."""
        used = sum(entry.session.memory_bytes for entry in self._entries.values())
        free_to_go = [digest for digest in self._entries if digest not in self._kept and digest != spared]
        for digest in sorted(free_to_go, key=lambda digest: self._entries[digest].last_used):
            if used <= self._budget_bytes:
                return
            used -= self._entries.pop(digest).session.memory_bytes


def _again(error: BaseException) -> PortalError:
    """A fresh error for each caller: one instance raised many times would gather tracebacks without end."""
    if isinstance(error, PortalError):
        return type(error)(error.message, code=error.code, details=error.details, retry_after=error.retry_after or 5)
    return Unavailable("This version cannot be loaded now.", code="model_not_loadable", retry_after=5)
