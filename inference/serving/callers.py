"""Who may predict, from memory: the tokens in use anywhere, read again twice a second by the follower.

So a revoked token, a lost membership or an expired date takes effect within a second, and no request waits for
PostgreSQL except the first of a token that nobody has used lately.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from registry.access.principal import Principal
from registry.access.tokens import digest_of, digests_in_use, note_use, principals_of_digests

FORGET_AFTER_SECONDS = 600.0
SHARE_EVERY_SECONDS = 10.0


@dataclass(slots=True)
class Caller:
    """`granted` holds the ids of the endpoints that the principal was found to have the right for.

    It lives as long as what is known of the principal's rights: half a second.
    """

    principal: Principal
    digest: str
    used: float = 0.0
    granted: set[int] = field(default_factory=set)


class Callers:
    """`_known` is replaced, never changed: the request path reads it without a lock."""

    def __init__(self) -> None:
        self._known: dict[str, Caller] = {}
        self._shared_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, token: str) -> Caller | None:
        """The caller when it is known here; None says nothing, ask `look_up`."""
        caller = self._known.get(digest_of(token))
        if caller is not None:
            caller.used = time.monotonic()
        return caller

    def look_up(self, token: str) -> Caller | None:
        """Blocks for PostgreSQL; None when the token is unknown, expired or revoked."""
        digest = digest_of(token)
        principal = principals_of_digests([digest]).get(digest)
        if principal is None:
            return None
        caller = Caller(principal, digest, time.monotonic())
        with self._lock:
            self._known = {**self._known, digest: caller}
        return caller

    def refresh(self) -> None:
        """Reads the current rights of every token in use; forgets those unused for ten minutes."""
        now = time.monotonic()
        elsewhere = self._share(now) if now - self._shared_at > SHARE_EVERY_SECONDS else set()
        wanted = {caller.digest for caller in self._known.values() if caller.used > now - FORGET_AFTER_SECONDS}
        wanted |= elsewhere
        if not self._known and not wanted:
            return
        fresh = principals_of_digests(wanted)
        with self._lock:
            before = self._known
            # What was looked up during the query is newer than its answer.
            arrived = {d: caller for d, caller in before.items() if d not in wanted and caller.used > now}
            kept = {d: Caller(principal, d, _last_use(before, d, now)) for d, principal in fresh.items()}
            self._known = {**kept, **arrived}

    def _share(self, now: float) -> set[str]:
        """Writes down which tokens were used here, and learns which were used by other processes: should PostgreSQL go
        away, each process knows them all."""
        lately = [caller.digest for caller in self._known.values() if caller.used > self._shared_at]
        self._shared_at = now
        note_use(lately)
        return digests_in_use(FORGET_AFTER_SECONDS)


def _last_use(known: dict[str, Caller], digest: str, now: float) -> float:
    return known[digest].used if digest in known else now
