"""A switch is answered only when every serving process has taken it.

Each serving process holds a lease of a few seconds (`ServingProcess`) and writes down the routing sequence that it has
taken. A writer bumps the sequence in its transaction, and after the commit waits until each process with a running
lease has acknowledged it. A process whose lease ran out asks PostgreSQL before it answers again, so it needs no wait.
All times are the database's own clock. NOTIFY only wakes the processes early; it proves nothing and may get lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from inference.models import RoutingState, ServingProcess
from portal.lib.hints import hint

CHANNEL = "slipway_routing"
FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.02
DEAD_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Converged:
    """How many processes hold a lease, how many of them acknowledged, and after how long.

    `failures` maps version ids (as text) to the sentence why a process could not load them.
    """

    processes: int
    acknowledged: int
    seconds: float
    failures: dict[str, str]

    @property
    def complete(self) -> bool:
        return self.processes == self.acknowledged

    def as_json(self) -> dict[str, Any]:
        return {"processes": self.processes, "acknowledged": self.acknowledged, "seconds": round(self.seconds, 4)}


def bump_sequence() -> int:
    """The number of this change. Holds the row's lock until the transaction ends: commit order is sequence order."""
    RoutingState.objects.get_or_create(pk=1)
    RoutingState.objects.filter(pk=1).update(sequence=F("sequence") + 1)
    hint(CHANNEL)
    return RoutingState.objects.values_list("sequence", flat=True).get(pk=1)


def wait_until_taken(sequence: int, *, seconds: float | None = None) -> Converged:
    """Returns as soon as all have acknowledged, or the state as it is after `seconds` (the setting's by default)."""
    begin = time.monotonic()
    limit = settings.PORTAL_CONVERGENCE_SECONDS if seconds is None else seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        state = _state(sequence, time.monotonic() - begin)
        if state.complete or state.seconds > limit:
            return state
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE_SECONDS)


def _state(sequence: int, seconds: float) -> Converged:
    rows = ServingProcess.objects.filter(lease_expires_at__gt=Now()).values_list("acknowledged", "failures")
    failures: dict[str, str] = {}
    acknowledged = 0
    for taken, failed in rows:
        if taken >= sequence:
            acknowledged += 1
            failures.update(failed)
    return Converged(len(rows), acknowledged, seconds, failures)


def n_serving() -> int:
    """How many processes hold a lease."""
    return ServingProcess.objects.filter(lease_expires_at__gt=Now()).count()


def forget_dead_processes() -> None:
    """A killed process leaves its row behind; nobody waits for it once its lease is over."""
    ServingProcess.objects.filter(lease_expires_at__lt=Now() - DEAD_AFTER).delete()
