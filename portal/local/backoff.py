"""How long to wait before a crashed process is started again. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0
CALM_SECONDS = 60.0


@dataclass
class Backoff:
    """Doubles from 0.5 s to 30 s; a process that has lived for 60 s has earned a fresh count."""

    n_deaths: int = 0

    def delay_after(self, lived_seconds: float) -> float:
        if lived_seconds >= CALM_SECONDS:
            self.n_deaths = 0
        self.n_deaths += 1
        return min(FIRST_SECONDS * 2 ** min(self.n_deaths - 1, 10), MOST_SECONDS)
