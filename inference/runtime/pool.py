"""The sessions of one process: loaded once, shared by all threads, dropped by memory budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock
from time import monotonic, time
from typing import NamedTuple

from inference.runtime.surface import Session
from portal.lib.errors import PortalError, Unavailable

FAILURE_SECONDS = 5.0
IDLE_SECONDS = 60.0


class Entry:
    """`runs` and `last_used` are written without a lock: they steer eviction and need not be exact."""

    __slots__ = ("last_used", "runs", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.runs = 0
        self.last_used = monotonic()

    def use(self) -> Session:
        self.last_used = monotonic()
        self.runs += 1
        return self.session


class SessionStats(NamedTuple):
    """`last_used` is in seconds since the epoch; `restarts` counts those of a process of its own."""

    digest: str
    memory_bytes: int
    runs: int
    last_used: float
    restarts: int = 0


class Failure(NamedTuple):
    error: PortalError
    until: float


class SessionPool:
    """Sessions by the digest of their artifact. Dropping one drops a reference: runs in progress end well."""

    def __init__(self, loader: Callable[[str], Session], budget_bytes: int) -> None:
        self._loader = loader
        self._budget_bytes = budget_bytes
        self._entries: dict[str, Entry] = {}
        self._loading: dict[str, Future[Session]] = {}
        self._failures: dict[str, Failure] = {}
        self._kept: frozenset[str] = frozenset()
        self._lock = Lock()

    def get(self, digest: str) -> Session | None:
        """The session if it is loaded, at once; a call counts as a run."""
        entry = self._entries.get(digest)
        return None if entry is None else entry.use()

    def load(self, digest: str) -> Session:
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
        """These, the live ones, are the last to go, and only when nobody has used them for a minute. Replaces the
        earlier set."""
        with self._lock:
            self._kept = frozenset(digests)
            self._evict(spared=None)

    def drop(self, digests: Iterable[str]) -> None:
        """What must not run any more, whether it is kept or not."""
        with self._lock:
            for digest in digests:
                self._entries.pop(digest, None)

    @property
    def is_full(self) -> bool:
        """Whether the next session would make another one go, or the budget be exceeded."""
        with self._lock:
            return self._used() >= self._budget_bytes

    def stats(self) -> list[SessionStats]:
        to_epoch = time() - monotonic()
        with self._lock:
            entries = list(self._entries.items())
        return [_stats(digest, entry, to_epoch) for digest, entry in entries]

    def _load_into(self, future: Future[Session], digest: str) -> None:
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
        used = self._used()
        busy_since = monotonic() - IDLE_SECONDS
        by_age = sorted(self._entries, key=lambda digest: self._entries[digest].last_used)
        others = [digest for digest in by_age if digest not in self._kept]
        idle = [digest for digest in by_age if digest in self._kept and self._entries[digest].last_used < busy_since]
        for digest in (*others, *idle):
            if used <= self._budget_bytes:
                return
            if digest != spared:
                used -= self._entries.pop(digest).session.memory_bytes

    def _used(self) -> int:
        return sum(entry.session.memory_bytes for entry in self._entries.values())


def _stats(digest: str, entry: Entry, to_epoch: float) -> SessionStats:
    session = entry.session
    restarts = getattr(session, "restarts", 0)
    return SessionStats(digest, session.memory_bytes, entry.runs, entry.last_used + to_epoch, restarts)


def _again(error: BaseException) -> PortalError:
    """A fresh error for each caller: one instance raised many times would gather tracebacks without end."""
    if isinstance(error, PortalError):
        return type(error)(error.message, code=error.code, details=error.details, retry_after=error.retry_after or 5)
    return Unavailable("This version cannot be loaded now.", code="model_not_loadable", retry_after=5)
