"""Counting on the path of a prediction: a microsecond, no lock, nothing lost.

Each thread counts into a table of its own. Whoever wants to know copies all tables (`Observations.state`), which is
safe because a dictionary is copied in one step; what a thread is just adding is seen the next time.
"""

from __future__ import annotations

import os
import threading
import time
from math import ceil, log

from inference.monitoring.histogram import GAMMA, HIGHEST, LONGEST, LOWEST, SHORTEST
from inference.monitoring.state import Event, Refusal, State
from inference.monitoring.tally import Served, Tally

_PER_LOG = 1 / log(GAMMA)


class Table:
    """What one thread has counted."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.tallies: dict[Served, Tally] = {}
        self.refusals: dict[Refusal, int] = {}
        self.events: dict[Event, int] = {}

    def state(self) -> State:
        made = State({served: tally.copy() for served, tally in dict(self.tallies).items()})
        made.refusals.update(dict(self.refusals))
        made.events.update(dict(self.events))
        return made


class Observations:
    """All that this process has counted."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._own = threading.local()
        self._tables: list[Table] = []
        self._ended = State()
        self._last: dict[Served, tuple[int, float]] = {}

    def observe(
        self,
        served: Served,
        status: int,
        code: str,
        seconds: float,
        n_rows: int = 0,
        queue_seconds: float = 0.0,
        run_seconds: float = 0.0,
        decode_seconds: float = 0.0,
        encode_seconds: float = 0.0,
        run_rows: int = -1,
    ) -> None:
        """Once per answer of a version. For other statuses than 200 only `seconds` is looked at.

        `seconds` is from the whole body read to the answer made. `run_rows` is for requests that shared a run: its
        rows for the first of them, 0 for the others. What `bucket_of` does stands here in line: a call costs more.
        """
        try:
            tally = self._own.table.tallies[served]
        except (AttributeError, KeyError):
            tally = self._begin(served)
        if status != 200:
            key = (status, code)
            tally.failures[key] = tally.failures.get(key, 0) + 1
            tally.failed_seconds += seconds
            return
        tally.n_rows += n_rows
        tally.seconds += seconds
        tally.queue_seconds += queue_seconds
        tally.run_seconds += run_seconds
        tally.decode_seconds += decode_seconds
        tally.encode_seconds += encode_seconds
        if run_rows:
            rows = n_rows if run_rows < 0 else run_rows
            try:
                batch = tally.batches[rows]
            except KeyError:
                batch = tally.batches[rows] = [0.0] * 4
            batch[0] += 1
            batch[1] += decode_seconds
            batch[2] += run_seconds
            batch[3] += encode_seconds
        bucket = ceil(log(run_seconds) * _PER_LOG) if SHORTEST < run_seconds < LONGEST else _clamped(run_seconds)
        try:
            tally.runs[bucket] += 1
        except KeyError:
            tally.runs[bucket] = 1
        bucket = ceil(log(queue_seconds) * _PER_LOG) if SHORTEST < queue_seconds < LONGEST else _clamped(queue_seconds)
        try:
            tally.queue[bucket] += 1
        except KeyError:
            tally.queue[bucket] = 1
        bucket = ceil(log(seconds) * _PER_LOG) if SHORTEST < seconds < LONGEST else _clamped(seconds)
        try:
            tally.latency[bucket] += 1
        except KeyError:
            tally.latency[bucket] = 1

    def refuse(self, endpoint: str, status: int, code: str) -> None:
        """An answer before a version was chosen. `endpoint` only if it exists, else empty."""
        refusals, key = self._table().refusals, Refusal(endpoint, status, code)
        refusals[key] = refusals.get(key, 0) + 1

    def count(self, name: str, result: str = "ok", n: int = 1) -> None:
        """Something beside the answers: one of the names in `state.py`."""
        events, key = self._table().events, Event(name, result)
        events[key] = events.get(key, 0) + n

    def state(self) -> State:
        """A copy of everything. A thread that has ended is added to those before it: threads may come and go."""
        with self._lock:
            for table in [table for table in self._tables if not table.thread.is_alive()]:
                self._tables.remove(table)
                self._ended.add(table.state())
            whole = State()
            whole.add(self._ended)
            for table in self._tables:
                whole.add(table.state())
            self._note_last(whole)
            return whole

    def _note_last(self, state: State) -> None:
        """When each last answered: looked at here, once a second, as a clock per answer would cost more."""
        for served, tally in state.tallies.items():
            n_ok = tally.n_ok
            if self._last.get(served, (0, 0.0))[0] != n_ok:
                self._last[served] = (n_ok, time.time())
            tally.last = self._last.get(served, (0, 0.0))[1]

    def _begin(self, served: Served) -> Tally:
        tallies = self._table().tallies
        tallies[served] = tally = Tally()
        return tally

    def _table(self) -> Table:
        table = getattr(self._own, "table", None)
        if table is None:
            table = self._own.table = Table()
            with self._lock:
                self._tables.append(table)
        return table


def _clamped(seconds: float) -> int:
    return LOWEST if seconds <= SHORTEST else HIGHEST


OBSERVATIONS = Observations()
observe, refuse, count = OBSERVATIONS.observe, OBSERVATIONS.refuse, OBSERVATIONS.count
# A child begins at nought: what its parent has counted, the parent tells.
os.register_at_fork(after_in_child=OBSERVATIONS.forget)
