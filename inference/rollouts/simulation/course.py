"""One rollout under a fake clock: what the controller does in the database, done in memory with the same two parts,
`inference.analysis` for the evidence and `inference.rollouts.machine` for the decision.
"""

from __future__ import annotations

from inference.analysis.eprocess import Counts4
from inference.analysis.guardrails import Batch, Evidence, Guardrail
from inference.analysis.latency import exceedances, freeze
from inference.analysis.srm import SrmProcess
from inference.monitoring.histogram import Counts, merge
from inference.rollouts.machine import LIVE, Decision, Facts, Plan, Position, Stage, State, decide
from inference.rollouts.simulation.traffic import Tick


class Course:
    """`seconds` is the clock; `last` the last decision that changed something; `holds` counts how often it held."""

    def __init__(self, plan: Plan, theta0: float = 1.0) -> None:
        self.plan = plan
        self.at = Position(State(plan.stages[0].kind), 0)
        self.seconds, self.n_canary, self.n_pairs, self.holds = 0.0, 0, 0, 0
        self.last = Decision()
        self._evidence, self._srm = Evidence(theta0), SrmProcess()
        self._stable: Counts = {}
        self._held_at = 0.0
        self._begin_stage()

    def _begin_stage(self) -> None:
        self._began_at = self.seconds
        self._taus = freeze(self._stable)

    @property
    def stage(self) -> Stage:
        return self.plan.stages[self.at.stage]

    @property
    def is_live(self) -> bool:
        return self.at.state in LIVE

    def take(self, tick: Tick, seconds: float) -> None:
        """Counts one tick, and looks."""
        self.seconds += seconds
        self.n_canary += int(tick.counts.n_c)
        self.n_pairs += tick.pairs
        self._count(tick)
        self._look()

    def _count(self, tick: Tick) -> None:
        if tick.pairs:
            self._add(Guardrail.AGREEMENT, Counts4(tick.pairs, 0, tick.differing, 0))
        if self.stage.weight_bp:
            self._compare(tick)
        merge(self._stable, tick.stable)
        self._taus = self._taus or freeze(self._stable)

    def _compare(self, tick: Tick) -> None:
        self._add(Guardrail.ERRORS, tick.counts)
        weight = self.stage.weight_bp
        counts = {"canary": int(tick.counts.n_c), "stable": int(tick.counts.n_s)}
        self._srm.add(counts, {"canary": weight, "stable": 10_000 - weight})
        for name, found in exceedances(tick.stable, tick.canary, self._taus or {}).items():
            self._add(f"latency.{name}", found)

    def _add(self, guardrail: str, counts: Counts4) -> None:
        self._evidence.add(Batch(self.at.stage, guardrail, *counts))

    def _look(self) -> None:
        decision = decide(self.plan, self.at, self._facts())
        if not decision.event:
            self.at = Position(self.at.state, self.at.stage, self.at.before, decision.n_calm)
            return
        self.last = decision
        assert decision.to is not None
        if decision.event == "hold":
            self.holds += 1
            self._held_at = self.seconds
        before = self.at.state if decision.to is State.HOLD else None
        self.at = Position(decision.to, decision.stage, before)
        if decision.event == "advance":
            self._begin_stage()

    def _facts(self) -> Facts:
        seen = self._evidence.totals(Guardrail.ERRORS, self.at.stage)
        is_shadow = self.stage.kind == "shadow"
        return Facts(
            ln_e={rail.value: value for rail, value in self._evidence.ln_e.items()},
            stage_seconds=self.seconds - self._began_at,
            held_seconds=self.seconds - self._held_at,
            n_canary=int(seen.n_c),
            n_stable=int(seen.n_s),
            n_pairs=self.n_pairs,
            proof_ln=self._evidence.non_inferiority_ln_e(self.at.stage, self.stage.delta) if self.stage.delta else 0.0,
            agreement_ln=self._evidence.agreement_ln_e if is_shadow else None,
            srm_ln=self._srm.ln_e,
        )
