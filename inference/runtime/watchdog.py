"""Ends runs at their deadline: one thread for all the runs of a process, woken only when there is something to end."""

from __future__ import annotations

import os
import threading
from time import monotonic

import onnxruntime as ort

NEVER = float("inf")


class Watchdog:
    """Runs in progress by their options. To begin and to end one takes no lock: a dictionary is safe enough for that.

    The thread sleeps until the earliest deadline it has seen and is not told when a run ends, so that it wakes about
    once per deadline's length, however many runs there are.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """For a forked process, which has the table but not the thread."""
        self._running: dict[ort.RunOptions, float] = {}
        self._wakes_at = NEVER
        self._bell = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, options: ort.RunOptions, deadline: float) -> None:
        """`deadline` is in seconds of `time.monotonic`. At it `options.terminate` is set, which ends the run."""
        self._running[options] = deadline
        if deadline < self._wakes_at:
            self._wake_by(deadline)

    def end(self, options: ort.RunOptions) -> None:
        self._running.pop(options, None)

    def _wake_by(self, deadline: float) -> None:
        with self._bell:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="run-watchdog", daemon=True)
                self._thread.start()
            if deadline < self._wakes_at:
                self._wakes_at = deadline
                self._bell.notify()

    def _watch(self) -> None:
        with self._bell:
            while True:
                # Whoever begins while we look around rings, and waits for the bell until we wait too.
                self._wakes_at = NEVER
                self._wakes_at = self._end_late(monotonic())
                self._bell.wait(None if self._wakes_at == NEVER else max(0.0, self._wakes_at - monotonic()))

    def _end_late(self, now: float) -> float:
        """When the next one is due."""
        due = NEVER
        # A copy is made in one step; iterating over the dictionary itself is not safe while others write to it.
        for options, deadline in self._running.copy().items():
            if deadline <= now:
                options.terminate = True
                self.end(options)
            else:
                due = min(due, deadline)
        return due


watchdog = Watchdog()
os.register_at_fork(after_in_child=watchdog.forget)
