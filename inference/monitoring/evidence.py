"""Counting the answers of rollouts and experiments: about a microsecond each, under one lock.

Kept by split, variant, and whether a key decided. Only what the traffic itself drew is noted (`Chosen.is_evidence`);
errors of callers, and what was turned away before it ran, say nothing about a version and are left out.
"""

from __future__ import annotations

import os
import threading
import time
from math import ceil, isfinite, log
from typing import NamedTuple

from inference.monitoring.arms import KINDS, SHADOW, Arm, Pairs
from inference.monitoring.histogram import GAMMA, LONGEST, SHORTEST, bucket_of
from inference.monitoring.outcomes import outcome_of
from inference.monitoring.warming import WarmUps
from inference.routing.snapshot import Route

# Keys that wait to be written, in one process.
MOST_UNITS = 20_000
TIMEOUT = 504
_PER_LOG = 1 / log(GAMMA)
# A time-out counts as the model's own only where it had about all the time that the endpoint allows.
WHOLE_DEADLINE = 0.9


class ArmKey(NamedTuple):
    split_id: int
    variant: str
    is_keyed: bool


class Taken(NamedTuple):
    """All that was noted between two moments, in seconds since the epoch."""

    began: float
    ended: float
    arms: dict[ArmKey, Arm | Pairs]
    n_units: int


class Evidence:
    """What this process has noted since it last told. `urgent` is set by the first bad answer after that."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self.urgent = threading.Event()
        self._arms: dict[tuple[int, str, bool], Arm] = {}
        self._pairs: dict[int, Pairs] = {}
        self._streaks: dict[tuple[int, str], int] = {}
        self._warm_ups = WarmUps()
        self._began = time.time()
        self._n_new = 0
        self._n_units = 0

    def note_load(self, digest: str) -> None:
        """A session was loaded here."""
        with self._lock:
            self._warm_ups.note_load(digest)

    def note(
        self,
        route: Route,
        variant: str,
        unit: int | None,
        status: int,
        code: str,
        seconds: float,
        finite: bool = True,
        fits: bool = True,
    ) -> None:
        """One answer. `unit` is the key's hash, None where chance decided; `finite` is false for NaN and infinities in
        it, `fits` for outputs that break the signature."""
        good = status == 200 and finite and fits
        if not good and status != 200 and outcome_of(status, code) != "model":
            return
        key = (route.split_id, variant, unit is not None)
        with self._lock:
            arm = self._arms.get(key) or self._begin(key, route)
            arm.n += 1
            if arm.n_loads != self._warm_ups.n_loads:
                arm.warm_up, arm.n_loads = self._warm_ups.of(route, variant), self._warm_ups.n_loads
            if arm.warm_up.left:
                self._warm_ups.take(arm.warm_up)
                arm.n_warm_up += 1
            elif good:
                # What `bucket_of` does stands here in line: a call costs more.
                bucket = ceil(log(seconds) * _PER_LOG) if SHORTEST < seconds < LONGEST else bucket_of(seconds)
                arm.latency[bucket] = arm.latency.get(bucket, 0) + 1
            if not good:
                arm.contract += not fits
                self._note_bad(arm, key, route, status, code or ("contract" if finite else "not_finite"), seconds)
            elif self._streaks:
                self._streaks.pop(key[:2], None)
            if unit is not None and (not good or route.experiment_id is not None):
                self._note_unit(arm, unit, not good, seconds)

    def note_pair(self, split_id: int, *, disagreed: bool, kind: str, max_abs: float | None, seconds: float) -> None:
        """The shadow answered, `seconds` after it began, or failed (`kind` is "error")."""
        with self._lock:
            pairs = self._pairs_of(split_id)
            pairs.n += 1
            pairs.n_bad += disagreed
            if disagreed:
                pairs.kinds[KINDS.get(kind, kind)] += 1
            if max_abs is not None and isfinite(max_abs):
                pairs.max_abs = max_abs if pairs.max_abs is None else max(pairs.max_abs, max_abs)
            if kind != "error":
                bucket = bucket_of(seconds)
                pairs.latency[bucket] = pairs.latency.get(bucket, 0) + 1

    def note_dropped(self, split_id: int) -> None:
        """A request that should have been mirrored was not, for want of room."""
        with self._lock:
            self._pairs_of(split_id).kinds["dropped"] += 1

    def take(self) -> Taken:
        """Everything, which begins anew. Units count as waiting until `release`."""
        with self._lock:
            arms: dict[ArmKey, Arm | Pairs] = {ArmKey(*key): arm for key, arm in self._arms.items()}
            arms |= {ArmKey(split, SHADOW, is_keyed=False): pairs for split, pairs in self._pairs.items()}
            taken = Taken(self._began, time.time(), arms, self._n_new)
            self._arms, self._pairs, self._n_new, self._began = {}, {}, 0, taken.ended
            self.urgent.clear()
        return taken

    def release(self, n_units: int) -> None:
        """So many units of what was taken are written."""
        with self._lock:
            self._n_units -= n_units

    def _begin(self, key: tuple[int, str, bool], route: Route) -> Arm:
        arm = self._arms[key] = Arm(self._warm_ups.of(route, key[1]), self._warm_ups.n_loads)
        return arm

    def _pairs_of(self, split_id: int) -> Pairs:
        return self._pairs.setdefault(split_id, Pairs())

    def _note_bad(
        self, arm: Arm, key: tuple[int, str, bool], route: Route, status: int, code: str, seconds: float
    ) -> None:
        arm.n_bad += 1
        arm.codes[code] += 1
        if status == TIMEOUT and seconds >= WHOLE_DEADLINE * route.deadline:
            streak = self._streaks.get(key[:2], 0) + 1
            self._streaks[key[:2]] = streak
            arm.streak = max(arm.streak, streak)
        if route.rollout_id is not None:
            self.urgent.set()

    def _note_unit(self, arm: Arm, unit: int, bad: bool, seconds: float) -> None:
        counted = arm.units.get(unit)
        if counted is not None:
            counted[1] += 1
            counted[2] += bad
            counted[3] += seconds
        elif self._n_units < MOST_UNITS:
            arm.units[unit] = [unit, 1, int(bad), seconds]
            self._n_new += 1
            self._n_units += 1
        else:
            arm.units_dropped += 1


EVIDENCE = Evidence()
# A child begins at nought: what its parent has noted, the parent tells.
os.register_at_fork(after_in_child=EVIDENCE.forget)
