"""Who may predict, from memory: the tokens in use anywhere, read again twice a second by the follower.

So a revoked token, a lost membership or an expired date takes effect within a second, and no request waits for
PostgreSQL except the first of a token that nobody has used lately.
"""

from __future__ import annotations

import threading
import time

from registry.access.principal import Principal
from registry.access.tokens import digest_of, digests_in_use, note_use, principals_of_digests

FORGET_AFTER_SECONDS = 600.0
SHARE_EVERY_SECONDS = 10.0


class Callers:
    def __init__(self) -> None:
        self._known: dict[str, Principal] = {}
        self._used: dict[str, float] = {}
        self._shared_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, token: str) -> Principal | None:
        """The principal when it is known here; None says nothing, ask `look_up`."""
        digest = digest_of(token)
        principal = self._known.get(digest)
        if principal is not None:
            self._used[digest] = time.monotonic()
        return principal

    def look_up(self, token: str) -> Principal | None:
        """Blocks for PostgreSQL; None when the token is unknown, expired or revoked."""
        digest = digest_of(token)
        principal = principals_of_digests([digest]).get(digest)
        if principal is not None:
            with self._lock:
                self._known = {**self._known, digest: principal}
                self._used[digest] = time.monotonic()
        return principal

    def refresh(self) -> None:
        """Reads the current rights of every token in use; forgets those unused for ten minutes."""
        now = time.monotonic()
        elsewhere = self._share(now) if now - self._shared_at > SHARE_EVERY_SECONDS else set()
        with self._lock:
            wanted = {digest for digest in self._known if self._used.get(digest, 0) > now - FORGET_AFTER_SECONDS}
            wanted |= elsewhere
            if not self._known and not wanted:
                return
        fresh = principals_of_digests(wanted)
        with self._lock:
            # What was looked up during the query is newer than its answer.
            arrived = {d: p for d, p in self._known.items() if d not in wanted and self._used.get(d, 0) > now}
            self._known = {**fresh, **arrived}
            self._used = {digest: self._used.get(digest, now) for digest in self._known}

    def _share(self, now: float) -> set[str]:
        """Writes down which tokens were used here, and learns which were used by other processes: should PostgreSQL go
        away, each process knows them all."""
        lately = [digest for digest, used in list(self._used.items()) if used > self._shared_at]
        self._shared_at = now
        note_use(lately)
        return digests_in_use(FORGET_AFTER_SECONDS)
