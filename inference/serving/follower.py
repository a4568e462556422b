"""Follows the routing: one thread per serving process that keeps the snapshot fresh and holds the process's lease.

Order on a change: read it, load the sessions it needs, swap the snapshot, acknowledge. So a switch never waits for a
load on the request path, and an acknowledgement means that new requests are answered by the new split already. A long
load happens beside the loop, which keeps the lease meanwhile and does not acknowledge yet: the writer waits for it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection
from django.db.models.functions import Now

from inference.models import ServingProcess
from inference.routing.convergence import CHANNEL, n_serving
from inference.routing.snapshot import (
    Changes,
    Route,
    VersionKey,
    VersionRef,
    current_sequence,
    read_changes,
    read_versions,
)
from inference.serving.callers import Callers
from inference.serving.memory import resident_bytes
from inference.serving.schedule import rate_limits
from inference.serving.sessions import described, load_version, session_pool
from portal.lib.errors import PortalError
from portal.lib.hints import listen, wait_for_hint

log = structlog.get_logger(__name__)
TICK_SECONDS = 0.5
REFRESH_SECONDS = 0.4
DESCRIBE_SECONDS = 2.0
PATIENCE_SECONDS = 0.2
# A store that lets one wait for longer is as good as away.
SILENCE_SECONDS = 2.0
# What a process that was itself stopped for a while gets to look before it believes in that silence.
LAST_LOOK_SECONDS = 0.25
MOST_PINNED = 1_000
MOST_DESCRIBED = 2_000


class Outlook(NamedTuple):
    """Whether the lease runs, and whether PostgreSQL is away; where neither is so, this process is late itself."""

    fresh: bool
    database_away: bool


class Follower:
    """`routes` and `pinned` are replaced, never changed: the request path reads them without a lock."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.callers = Callers()
        self.routes: dict[str, Route] = {}
        self.pinned: dict[VersionKey, VersionRef] = {}
        self.sequence = -1
        self.lease_until = 0.0
        self.synced_at = 0.0
        self._refreshed_at = float("-inf")
        self._described_at = float("-inf")
        self._refused = False
        self._asking_since = float("inf")
        self.failures: dict[str, str] = {}
        self._fresh = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._warm: dict[str, float] = {}
        self._locked_away: set[str] = set()
        self._keep_again_at = float("inf")
        self._loads: dict[int, Future[None]] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Gives the lease back, so that no writer waits for a process that is gone."""
        self._stop.set()
        self._thread.join(timeout=2 * TICK_SECONDS + 1)

    def wait_fresh(self, seconds: float) -> Outlook:
        """Blocks until the lease runs again, at most for `seconds`, and hardly at all while PostgreSQL is away."""
        with self._fresh:
            if self._database_away():
                self._fresh.wait_for(lambda: self._refused or not self._database_away(), LAST_LOOK_SECONDS)
            if not self._database_away():
                self._fresh.wait_for(lambda: self._refused or self.holds_lease(), seconds)
            return Outlook(self.holds_lease(), self._database_away())

    def wait_fresh_once(self, seconds: float) -> bool:
        """Blocks for the first look at what is live, with its sessions; False when it took longer."""
        with self._fresh:
            return self._fresh.wait_for(lambda: self.sequence >= 0 and self.holds_lease(), seconds)

    def _database_away(self) -> bool:
        """It refused, or has been silent for long: then the lease has run out for no fault of this process."""
        return self._refused or time.monotonic() - self._asking_since > SILENCE_SECONDS

    def holds_lease(self) -> bool:
        return time.monotonic() < self.lease_until

    def pin(self, key: VersionKey, version: VersionRef) -> None:
        kept = dict(list(self.pinned.items())[-MOST_PINNED:])
        self.pinned = {**kept, key: version}

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                listen(CHANNEL)
                routine = True
                while not self._stop.is_set():
                    self._tick(routine)
                    hinted = wait_for_hint(0 if self._loads else TICK_SECONDS)
                    routine = not hinted or time.monotonic() - self._refreshed_at > REFRESH_SECONDS
            except (DatabaseError, InterfaceError, OSError) as error:
                self._lost(error)
            except Exception:
                # The thread must live as long as its process: without it nothing here learns of a switch any more.
                # PostgreSQL is not away, so nothing is answered by what may be old: the lease just runs out.
                log.exception("follower_failed")
                self._stop.wait(TICK_SECONDS)
        self._leave()

    def _tick(self, routine: bool = True) -> None:
        """A hint is acknowledged without the routine look-ups, where these were made a moment ago."""
        self._asking_since = asked_at = time.monotonic()
        changes = read_changes(self.sequence) if current_sequence() != self.sequence else None
        if changes and self._loaded(_versions(changes)):
            self._take(changes)
        elif time.monotonic() > self._keep_again_at:
            self._keep(self.routes)
        if routine:
            self._refresh_pinned()
            self.callers.refresh()
            rate_limits.n_processes = n_serving()
            self._refreshed_at = asked_at
        self._acknowledge()
        with self._fresh:
            self._refused, self._asking_since = False, float("inf")
            self.synced_at = asked_at
            self.lease_until = asked_at + settings.PORTAL_LEASE_SECONDS
            self._fresh.notify_all()

    def _loaded(self, versions: Iterable[VersionRef]) -> bool:
        """Whether every load has ended, well or not; begins those that are missing and waits a moment for them."""
        for version in versions:
            if version.id not in self._loads and not version.quarantined:
                self._loads[version.id] = self._loader.submit(self._load, version)
        done = not wait(self._loads.values(), timeout=PATIENCE_SECONDS).not_done
        if done:
            self._loads = {}
        return done

    def _load(self, version: VersionRef) -> None:
        if self.sequence < 0 and session_pool().is_full:
            return  # At the start what fits is loaded; the first call loads the rest.
        try:
            load_version(version)
            self.failures.pop(str(version.id), None)
        except PortalError as error:
            log.warning("version_not_loaded", version_id=version.id, code=error.code)
            self.failures[str(version.id)] = str(error)

    def _take(self, changes: Changes) -> None:
        routes = {slug: route for slug, route in self.routes.items() if slug not in changes.removed}
        routes.update((route.slug, route) for route in changes.routes)
        self._warm.update({version.sha256: time.monotonic() + 60 for version in changes.warm})
        self._locked_away = changes.locked_away
        self._keep(routes)
        session_pool().drop(changes.locked_away)
        self.routes, self.sequence = routes, changes.sequence

    def _keep(self, routes: dict[str, Route]) -> None:
        """What is live stays; so does, for a minute, what somebody is about to make live, and for as long as its
        endpoint says what was live before."""
        now, ends = time.monotonic(), time.time()
        self._warm = {digest: until for digest, until in self._warm.items() if until > now}
        live = {version.sha256 for route in routes.values() for version in route.versions(ends)}
        session_pool().keep((live | set(self._warm)) - self._locked_away)
        waits = [until - now for until in self._warm.values()]
        waits += [route.kept_until - ends for route in routes.values() if route.kept_until > ends]
        self._keep_again_at = now + min(waits, default=float("inf"))

    def _refresh_pinned(self) -> None:
        """Aliases move, and versions are archived: what callers named is looked up again all the time."""
        before = self.pinned
        if before:
            fresh = read_versions(before)
            arrived = {key: version for key, version in self.pinned.items() if key not in before}
            self.pinned = {**fresh, **arrived}

    def _acknowledge(self) -> None:
        facts: dict[str, Any] = {
            "acknowledged": self.sequence,
            "lease_expires_at": Now() + timedelta(seconds=settings.PORTAL_LEASE_SECONDS),
            "failures": self.failures,
        }
        if time.monotonic() - self._described_at > DESCRIBE_SECONDS:
            self._described_at = time.monotonic()
            facts |= self._description()
        if not ServingProcess.objects.filter(pk=self.id).update(**facts):
            ServingProcess.objects.create(pk=self.id, host=socket.gethostname(), pid=os.getpid(), **facts)

    def _description(self) -> dict[str, Any]:
        """What is loaded here, for people: a row of JSON with an entry per session, so not with every tick."""
        stats = session_pool().stats()
        return {
            "n_sessions": len(stats),
            "session_bytes": sum(stat.memory_bytes for stat in stats),
            "sessions": [described(stat) for stat in stats[:MOST_DESCRIBED]],
            "memory_bytes": resident_bytes(),
        }

    def _lost(self, error: Exception) -> None:
        log.warning("routing_lost", error=type(error).__name__)
        with self._fresh:
            self._refused, self._asking_since = True, float("inf")
            self._fresh.notify_all()
        connection.close()
        self._stop.wait(TICK_SECONDS)

    def _leave(self) -> None:
        try:
            ServingProcess.objects.filter(pk=self.id).delete()
        except (DatabaseError, InterfaceError):
            log.warning("lease_not_returned")
        finally:
            connection.close()


def _versions(changes: Changes) -> list[VersionRef]:
    return [*changes.warm, *(version for route in changes.routes for version in route.versions(time.time()))]


_follower: Follower | None = None
_starting = threading.Lock()


def follower() -> Follower:
    """This process's follower, started on first use."""
    global _follower
    if _follower is None:
        with _starting:
            if _follower is None:
                made = Follower()
                made.start()
                _follower = made
    return _follower


def known_routes() -> dict[str, Route]:
    """What this process serves, without beginning to follow where it does not yet."""
    return _follower.routes if _follower is not None else {}


def stop_follower() -> None:
    if _follower is not None:
        _follower.stop()


def _forget() -> None:
    global _follower, _starting
    _follower, _starting = None, threading.Lock()


# A forked child has none of its parent's threads, and gets a follower of its own.
os.register_at_fork(after_in_child=_forget)
