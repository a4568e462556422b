"""Comes to every decision of a rollout again, from its ledger alone: whoever doubts one can check it."""

from __future__ import annotations

from typing import NamedTuple

from inference.models import AnalysisRun, Rollout
from inference.rollouts import ledger, machine
from inference.rollouts.plan import plan_of

TOLERANCE = 1e-6


class Replayed(NamedTuple):
    """One look. `event` is what was decided then, `again` what the ledger leads to now."""

    run: AnalysisRun
    again: str
    differs: tuple[str, ...]


def replay(rollout: Rollout) -> list[Replayed]:
    plan, prover = plan_of(rollout), ledger.Prover(rollout)
    stages = {stage.index: stage for stage in rollout.stages.all()}
    found = []
    for run in rollout.runs.order_by("pk"):
        prover.follow(run.seq)
        found.append(_again(run, plan, prover.proven(stages.get(run.position))))
    return found


def _again(run: AnalysisRun, plan: machine.Plan, proven: ledger.Proven) -> Replayed:
    """Time and faults are no part of the ledger and taken as written down; all that was counted is computed again."""
    told = machine.facts_from(run.facts)
    counted = {name: getattr(proven, name) for name in ledger.Proven._fields}
    facts = machine.facts_from({**run.facts, **counted})
    differs = tuple(name for name, value in counted.items() if not _same(value, getattr(told, name)))
    before = machine.State(run.facts["state_before"]) if run.facts.get("state_before") else None
    # What was calm before this look: it counts itself.
    n_calm = max(0, run.facts.get("n_calm", 0) - 1) if run.event != "resume" else machine.CALM_LOOKS - 1
    at = machine.Position(machine.State(run.state), run.position, before, n_calm)
    return Replayed(run, machine.decide(plan, at, facts).event, differs)


def _same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    return one == other
