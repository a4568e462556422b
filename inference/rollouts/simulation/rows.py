"""The table: each row a plan and some traffic, what is measured on it, and the goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference.rollouts.machine import Plan, Stage
from inference.rollouts.presets import PRESETS
from inference.rollouts.simulation.traffic import Traffic

NEVER = 1e12
N_NEVER = 10**12
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Row:
    """`measure`: `share` of the rollouts that are rolled back, at most `goal` of all; or the `requests`, or mirrored
    `pairs`, of the canary until it is rolled back, at most `goal` in the median and `goal_p90` for nine of ten.
    """

    name: str
    title: str
    plan: Plan
    traffic: Traffic
    measure: Literal["share", "requests", "pairs"]
    goal: float
    goal_p90: float | None = None
    rival_seconds: float = 0.0


def preset(name: str) -> Plan:
    found = PRESETS[name]
    stages = (found.shadow, *found.stages, found.holdback)
    return Plan(tuple(stage for stage in stages if stage), hold_seconds=PRESETS[name].hold_seconds)


def stuck(kind: str, weight_bp: int) -> Plan:
    """One stage that never ends, to see how long harm goes unseen in it."""
    return Plan((Stage(kind, weight_bp, NEVER, N_NEVER, 0.01),), hold_seconds=NEVER)


ROWS = (
    Row(
        "harmless-50-half",
        "harmless, 50/min, 0.5 % errors",
        preset("low_traffic"),
        Traffic(50, 0.005, 0.005, tick_seconds=30),
        "share",
        0.01,
    ),
    Row(
        "harmless-50-one",
        "harmless, 50/min, 1 % errors",
        preset("low_traffic"),
        Traffic(50, 0.01, 0.01, tick_seconds=30),
        "share",
        0.01,
    ),
    Row("harmless-1000", "harmless, 1000/min, 0.1 % errors", preset("canary"), Traffic(1000), "share", 0.01),
    Row(
        "harmless-peaks",
        "harmless, 1000/min, 0.1 % errors, 1 % for 10 min an hour",
        preset("canary"),
        Traffic(1000, peak=10),
        "share",
        0.01,
    ),
    Row(
        "slower-8",
        "8 % slower, 1000/min, 0.1 % errors",
        preset("canary"),
        Traffic(1000, slower=1.08),
        "share",
        0.005,
    ),
    Row(
        "errors-10x",
        "errors 0.1 to 1 %, weight 5 %",
        stuck("canary", 500),
        Traffic(1000, canary_errors=0.01, tick_seconds=2),
        "requests",
        600,
        1200,
        rival_seconds=6 * HOUR,
    ),
    Row(
        "always-fails",
        "always fails, 50/min, weight 5 %",
        stuck("canary", 500),
        Traffic(50, canary_errors=1.0, tick_seconds=2),
        "requests",
        5,
        rival_seconds=HOUR,
    ),
    Row(
        "slower-30",
        "30 % slower, weight 5 %",
        stuck("canary", 500),
        Traffic(1000, slower=1.3, spread=0.4, tick_seconds=2),
        "requests",
        450,
        700,
    ),
    Row(
        "disagrees",
        "5 % of the answers differ where 2 % may",
        stuck("shadow", 0),
        Traffic(300, disagreement=0.05, tick_seconds=2),
        "pairs",
        450,
        850,
    ),
)
