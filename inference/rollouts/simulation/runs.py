"""Many rollouts with the same plan and traffic, each with random numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from inference.analysis.eprocess import Counts4
from inference.analysis.guardrails import NOTHING
from inference.analysis.rivals import Rival, rivals
from inference.rollouts.machine import Plan, State
from inference.rollouts.simulation.course import Course
from inference.rollouts.simulation.traffic import Tick, Traffic, ticks

DAY = 24 * 3_600.0


class Run(NamedTuple):
    """How one rollout ended. `code` is the last decision's reason. `n_canary` and `n_pairs` count its requests until
    then; `rivals` says after how many canary requests each other rule would have rolled back, None if never."""

    state: State
    code: str
    seconds: float
    n_canary: int
    n_pairs: int
    n_holds: int
    rivals: dict[str, int | None]

    @property
    def rolled_back(self) -> bool:
        return self.state is State.ROLLING_BACK


class Watch:
    """The other rules, fed by the minute with the same requests."""

    def __init__(self, tick_seconds: float) -> None:
        self._rules: list[Rival] = rivals()
        self.fired: dict[str, int | None] = {rule.name: None for rule in self._rules}
        self._per_minute = round(60 / tick_seconds)
        self._n_ticks, self._n_canary, self._minute = 0, 0, NOTHING

    @property
    def is_waiting(self) -> bool:
        return any(at is None for at in self.fired.values())

    def take(self, counts: Counts4) -> None:
        self._n_ticks += 1
        self._n_canary += int(counts.n_c)
        self._minute = self._minute.plus(counts)
        if self._n_ticks % self._per_minute:
            return
        for rule in self._rules:
            if self.fired[rule.name] is None and rule.looks(self._minute):
                self.fired[rule.name] = self._n_canary
        self._minute = NOTHING


def run_once(
    seed: np.random.SeedSequence, plan: Plan, traffic: Traffic, most_seconds: float = 7 * DAY, rival_seconds: float = 0
) -> Run:
    """One rollout until it ends. The other rules see the same requests, for `rival_seconds` at least."""
    rng = np.random.default_rng(seed)
    course, watch = Course(plan), Watch(traffic.tick_seconds)
    while course.is_live and course.seconds < most_seconds:
        for tick in _of_stage(course, traffic, rng):
            watch.take(tick.counts)
            course.take(tick, traffic.tick_seconds)
    _let_watch(watch, course, traffic, rng, rival_seconds)
    return Run(
        course.at.state, course.last.code, course.seconds, course.n_canary, course.n_pairs, course.holds, watch.fired
    )


def _of_stage(course: Course, traffic: Traffic, rng: np.random.Generator) -> Iterator[Tick]:
    stage = course.stage
    for tick in ticks(traffic, stage.weight_bp, course.seconds, rng):
        yield tick
        if not course.is_live or course.stage is not stage:
            return


def _let_watch(watch: Watch, course: Course, traffic: Traffic, rng: np.random.Generator, seconds: float) -> None:
    """More of the same requests, for the rules that have not decided yet."""
    clock = course.seconds
    for tick in ticks(traffic, course.stage.weight_bp, clock, rng):
        if clock >= seconds or not watch.is_waiting:
            return
        watch.take(tick.counts)
        clock += traffic.tick_seconds


def run_many(
    n: int, seed: int, plan: Plan, traffic: Traffic, n_processes: int = 1, rival_seconds: float = 0
) -> list[Run]:
    """`n` rollouts. The seed alone decides what they are, not the number of processes."""
    seeds = np.random.SeedSequence(seed).spawn(n)
    once = partial(run_once, plan=plan, traffic=traffic, rival_seconds=rival_seconds)
    if n_processes == 1:
        return [once(one) for one in seeds]
    with ProcessPoolExecutor(n_processes) as pool:
        return list(pool.map(once, seeds, chunksize=max(1, n // (8 * n_processes))))
