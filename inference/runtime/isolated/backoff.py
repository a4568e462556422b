"""How long to wait before a process that ended is started again."""

from __future__ import annotations

LONGEST = 60.0
FORGOTTEN_AFTER = 600.0


class BackOff:
    """At once the first time, then 1, 2, 4 … 60 seconds; ten minutes without an end and it begins anew."""

    def __init__(self) -> None:
        self._ends = 0
        self._last = float("-inf")

    def delay(self, now: float) -> float:
        """Seconds to wait after an end at `now`, which is in seconds of any steady clock."""
        if now - self._last >= FORGOTTEN_AFTER:
            self._ends = 0
        self._last = now
        self._ends += 1
        return 0.0 if self._ends == 1 else min(LONGEST, 2.0 ** min(self._ends - 2, 10))
