"""How often a token may ask: a token bucket (in the network sense) per API token, in the memory of each process.

A limit holds for all processes together, so each gives out its part of it; connections spread over the processes.
"""

from __future__ import annotations

import time
from collections.abc import Hashable

from portal.lib.errors import TooManyRequests

MOST_BUCKETS = 10_000


class RateLimits:
    """`n_processes` is kept up to date by who knows it. Not thread-safe beyond losing a count now and then."""

    def __init__(self) -> None:
        self.n_processes = 1
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable, per_second: float) -> None:
        """Raises TooManyRequests with the seconds until another request will pass. A burst of one second is allowed."""
        rate = per_second / max(1, self.n_processes)
        size = max(1.0, rate)
        now = time.monotonic()
        left, then = self._buckets.get(key, (size, now))
        left = min(size, left + (now - then) * rate)
        if left < 1.0:
            raise TooManyRequests(
                f"This token may ask {per_second:g} times a second: slow down.",
                code="rate_limited",
                retry_after=min(60, max(1, round((1.0 - left) / rate))),
            )
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.clear()
        self._buckets[key] = (left - 1.0, now)
