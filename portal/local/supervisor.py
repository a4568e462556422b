"""Keeps children running and ends them in order. One thread, no callbacks: `tick()` looks at every child."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from portal.local.backoff import Backoff
from portal.local.child import Child, Spec
from portal.local.console import CannotStart, say, tail

_TICK_SECONDS = 0.05
_HURRY_SECONDS = 1.0
_MOST_DEATHS_AT_START = 3


class StopAsked(Exception):
    """Ctrl-C or SIGTERM arrived while something was waited for."""


class Supervisor:
    """Children are started in the order they are given and stopped in the reverse order."""

    def __init__(self, report: Callable[[str], None] = say) -> None:
        self.report = report
        self.children: dict[str, Child] = {}
        self.n_stop_signals = 0
        self._backoffs: dict[str, Backoff] = {}
        self._restart_at: dict[str, float] = {}
        self._settled = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self.n_stop_signals += 1

    def start(self, spec: Spec) -> Child:
        child = Child(spec)
        self.children[spec.name] = child
        self._backoffs[spec.name] = Backoff()
        child.start()
        return child

    def tick(self) -> None:
        """Notices deaths and starts again what has waited long enough."""
        now = time.monotonic()
        for name, child in self.children.items():
            if child.running:
                continue
            if name not in self._restart_at:
                self._bury(child, now)
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                child.start()

    def _bury(self, child: Child, now: float) -> None:
        name, backoff = child.spec.name, self._backoffs[child.spec.name]
        child.sweep_group()
        delay = backoff.delay_after(child.lived())
        self._restart_at[name] = now + delay
        if not self._settled and backoff.n_deaths >= _MOST_DEATHS_AT_START:
            raise CannotStart(
                f"{name} does not start (it ended with {child.status}). "
                f"The end of {child.spec.log}:\n\n{tail(child.spec.log)}"
            )
        self.report(f"{name} ended with {child.status}; starting it again in {delay:g} s (log: {child.spec.log}).")

    def wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits while it looks after the children; raises StopAsked when a person wants to stop."""
        end = time.monotonic() + seconds
        while not condition():
            if self.n_stop_signals:
                raise StopAsked
            if time.monotonic() > end:
                raise CannotStart(f"Waited {seconds:.0f} s for {what} in vain. The logs say more.")
            self.tick()
            time.sleep(_TICK_SECONDS)

    def watch(self) -> None:
        """Until a person wants to stop."""
        self._settled = True
        while not self.n_stop_signals:
            self.tick()
            time.sleep(_TICK_SECONDS * 4)

    def stop(self) -> None:
        """Last started, first stopped; each has its time, and less when a person asks again."""
        for child in reversed(self.children.values()):
            self._stop_one(child)

    def _stop_one(self, child: Child) -> None:
        spec = child.spec
        if child.running:
            child.signal(spec.stop_signal)
            if not self._wait_to_end(child, spec.stop_seconds):
                self.report(f"{spec.name} takes too long to end; ending it at once.")
                child.signal(spec.hurry_signal)
                if not child.wait(_HURRY_SECONDS * 2):
                    child.signal(signal.SIGKILL)
                    child.wait(_HURRY_SECONDS * 5)
        child.sweep_group()

    def _wait_to_end(self, child: Child, seconds: float) -> bool:
        began = time.monotonic()
        while not child.wait(_TICK_SECONDS):
            hurried = self.n_stop_signals > 1
            if time.monotonic() - began > (min(seconds, _HURRY_SECONDS) if hurried else seconds):
                return False
        return True
