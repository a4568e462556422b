"""Watches the controller from the serving processes: who judges a rollout may die, and then nobody judges it.

While nobody looks, the weights stay. After a minute of that the rollout is put on hold, after a quarter of an hour it
is rolled back (both by the plan's options). Time is this process's own and monotonic: a clock that jumps does nothing.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from inference.models import Rollout, RolloutState
from inference.rollouts import steps
from inference.rollouts.evaluation import LIVE
from inference.rollouts.machine import RUNNING
from inference.rollouts.transitions import Transition, transit
from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM

log = structlog.get_logger(__name__)
LOOK_SECONDS = 5.0


class Watchdog:
    """One thread, from `start` to `stop`. Several processes may watch: each act is compared and set."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[datetime | None, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollout-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look(time.monotonic())
            except (OperationalError, InterfaceError) as error:
                log.warning("watchdog_blind", error=type(error).__name__)
                connection.close()
            except Exception:
                log.exception("watchdog_failed")
        connection.close()

    def look(self, now: float) -> None:
        """`now` in seconds that only ever grow."""
        live = Rollout.objects.filter(state__in=LIVE).select_related("endpoint", "stable", "candidate", "base_split")
        seen = {}
        for rollout in live:
            at, since = self._seen.get(rollout.pk, (rollout.evaluated_at, now))
            seen[rollout.pk] = at, since = (at, since) if at == rollout.evaluated_at else (rollout.evaluated_at, now)
            try:
                _act(rollout, now - since)
            except PortalError as error:
                log.info("watchdog_too_late", rollout=rollout.pk, code=error.code)
        self._seen = seen


def _act(rollout: Rollout, silent_seconds: float) -> None:
    why = _("Nobody has judged it for %(n).0f s.") % {"n": silent_seconds}
    if silent_seconds >= rollout.options["watchdog_roll_back_seconds"]:
        steps.roll_back(rollout, Transition("roll_back", RolloutState.ROLLING_BACK, sentence=why))
    elif silent_seconds >= rollout.options["watchdog_hold_seconds"] and rollout.state in RUNNING:
        step = Transition("hold", RolloutState.HOLD, sentence=why, changes={"state_before": rollout.state})
        with transaction.atomic():
            transit(SYSTEM, rollout, step)
