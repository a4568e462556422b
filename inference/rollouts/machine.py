"""What a rollout does next, as a pure function of its plan, where it stands, and the facts.

Several things may be true at once; the first of these decides: a hard fault, proof of harm, a pause, a reason to hold,
the next stage. Nothing advances for want of bad news: each stage asks for time, requests and a proof that the
candidate is not worse by more than `delta`. Persons' own commands stand in `PERSONS`; `commands.py` carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from inference.analysis.guardrails import HOLD_LN, PROOF_LN, RESUME_LN, ROLL_BACK_LN
from inference.analysis.srm import ALARM_LN


class State(StrEnum):
    DRAFT = "draft"
    VALIDATING = "validating"
    SHADOW = "shadow"
    CANARY = "canary"
    HOLD = "hold"
    PAUSED = "paused"
    HOLDBACK = "holdback"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED_VALIDATION = "failed_validation"


RUNNING = frozenset({State.SHADOW, State.CANARY, State.HOLDBACK})
LIVE = RUNNING | {State.HOLD, State.PAUSED}
ENDED = frozenset({State.PROMOTED, State.ROLLED_BACK, State.ABORTED, State.FAILED_VALIDATION})
# A person's command and the states in which it is taken.
PERSONS: dict[str, frozenset[State]] = {
    "start": frozenset({State.DRAFT}),
    "pause": RUNNING | {State.HOLD},
    "resume": frozenset({State.PAUSED, State.HOLD}),
    "advance": LIVE,
    "promote": LIVE,
    "abort": LIVE | {State.DRAFT, State.VALIDATING},
}
CALM_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Stage:
    """`kind` is shadow, canary or holdback. `delta` is a difference of error shares, 0.02 for two points."""

    kind: str
    weight_bp: int
    bake_seconds: float
    n_min: int
    delta: float = 0.0
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`policy` is `evidence` or `thresholds`, which counts failed checks instead. After `hold_seconds` on hold,
    `on_hold` says whether to `roll_back` or to `wait`."""

    stages: tuple[Stage, ...]
    policy: str = "evidence"
    expects_difference: bool = False
    hold_seconds: float = 3_600.0
    on_hold: str = "roll_back"
    telemetry_seconds: float = 60.0
    most_failed_checks: int = 5


@dataclass(frozen=True, slots=True)
class Position:
    """`stage` is an index into the plan's stages; `before` is where a hold or a pause goes back to."""

    state: State
    stage: int = -1
    before: State | None = None
    n_calm: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one moment. `ln_e` is over the whole rollout; `n_` and `proof_ln` are of the present stage.

    `fault` names a hard fault, `slo` a broken objective of the whole endpoint; both are sentences. `check_passed` is
    None where there was nothing to check.
    """

    ln_e: Mapping[str, float] = field(default_factory=dict)
    stage_seconds: float = 0.0
    held_seconds: float = 0.0
    n_canary: int = 0
    n_stable: int = 0
    n_pairs: int = 0
    proof_ln: float = 0.0
    agreement_ln: float | None = None
    srm_ln: float = 0.0
    telemetry_age: float | None = 0.0
    fault: str = ""
    slo: str = ""
    n_failed_checks: int = 0
    check_passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`event` is empty where nothing changes; then `missing` says what the next stage still waits for. `code` is the
    reason, and `guardrail` the test behind it where there is one."""

    event: str = ""
    to: State | None = None
    stage: int = -1
    code: str = ""
    guardrail: str = ""
    n_calm: int = 0
    missing: tuple[str, ...] = ()


def decide(plan: Plan, at: Position, facts: Facts) -> Decision:
    """For a live rollout. Calling it again with the same facts gives the same answer."""
    if at.state not in LIVE:
        return Decision()
    return _harm(plan, at, facts) or _rest(plan, at, facts)


def _harm(plan: Plan, at: Position, facts: Facts) -> Decision | None:
    if facts.fault:
        return Decision("roll_back", State.ROLLING_BACK, at.stage, "fault")
    worst = worst_of(plan, facts)
    if worst and facts.ln_e[worst] >= ROLL_BACK_LN:
        return Decision("roll_back", State.ROLLING_BACK, at.stage, "evidence", worst)
    if plan.policy == "thresholds" and facts.n_failed_checks >= plan.most_failed_checks:
        return Decision("roll_back", State.ROLLING_BACK, at.stage, "thresholds")
    return None


def _rest(plan: Plan, at: Position, facts: Facts) -> Decision:
    if at.state is State.PAUSED:
        return Decision(missing=("paused",))
    if at.state is State.HOLD:
        return _held(plan, at, facts)
    code, guardrail = reason_to_hold(plan, facts)
    if code:
        return Decision("hold", State.HOLD, at.stage, code, guardrail)
    missing = gate(plan, at, facts)
    return Decision(missing=missing) if missing else onward(plan, at)


def _held(plan: Plan, at: Position, facts: Facts) -> Decision:
    if _is_calm(plan, facts):
        n_calm = at.n_calm + 1
        if n_calm >= CALM_LOOKS:
            return Decision("resume", at.before or State.CANARY, at.stage, "calm")
        return Decision(n_calm=n_calm, missing=("hold",))
    # Between calm and doubt it goes on waiting: time alone is no reason to go back.
    over = plan.on_hold == "roll_back" and facts.held_seconds >= plan.hold_seconds
    if over and reason_to_hold(plan, facts)[0]:
        return Decision("roll_back", State.ROLLING_BACK, at.stage, "held_too_long")
    return Decision(missing=("hold",))


def _is_calm(plan: Plan, facts: Facts) -> bool:
    worst = worst_of(plan, facts)
    quiet = worst is None or facts.ln_e[worst] < RESUME_LN
    return quiet and not facts.slo and facts.srm_ln < ALARM_LN and _is_fresh(plan, facts)


def _is_fresh(plan: Plan, facts: Facts) -> bool:
    return facts.telemetry_age is not None and facts.telemetry_age <= plan.telemetry_seconds


def reason_to_hold(plan: Plan, facts: Facts) -> tuple[str, str]:
    """(code, guardrail), empty where there is none."""
    worst = worst_of(plan, facts)
    if worst and facts.ln_e[worst] >= HOLD_LN:
        return "evidence", worst
    if facts.srm_ln >= ALARM_LN:
        return "srm", ""
    if facts.slo:
        return "slo", ""
    return ("", "") if _is_fresh(plan, facts) else ("telemetry", "")


def worst_of(plan: Plan, facts: Facts) -> str | None:
    """The guardrail with the most evidence of harm; none of them counts where thresholds decide."""
    if plan.policy == "thresholds" or not facts.ln_e:
        return None
    return max(facts.ln_e, key=lambda name: facts.ln_e[name])


def gate(plan: Plan, at: Position, facts: Facts) -> tuple[str, ...]:
    """What the stage still waits for, empty where the next one may begin."""
    stage = plan.stages[at.stage]
    missing = [] if facts.stage_seconds >= stage.bake_seconds else ["bake"]
    missing += _shadow_gate(plan, stage, facts) if stage.kind == "shadow" else _live_gate(plan, stage, facts)
    if not missing and stage.needs_approval:
        missing.append("approval")
    return tuple(missing)


def _shadow_gate(plan: Plan, stage: Stage, facts: Facts) -> list[str]:
    missing = [] if facts.n_pairs >= stage.n_min else ["pairs"]
    if not plan.expects_difference and (facts.agreement_ln is None or facts.agreement_ln < PROOF_LN):
        missing.append("agreement")
    return missing


def _live_gate(plan: Plan, stage: Stage, facts: Facts) -> list[str]:
    n = facts.n_stable if stage.kind == "holdback" else facts.n_canary
    missing = [] if n >= stage.n_min else ["n_min"]
    if plan.policy == "thresholds":
        return missing if facts.check_passed else [*missing, "check"]
    if facts.srm_ln >= HOLD_LN:
        missing.append("srm")
    if stage.kind == "canary" and stage.weight_bp < 10_000 and facts.proof_ln < PROOF_LN:
        missing.append("proof")
    return missing


def onward(plan: Plan, at: Position) -> Decision:
    """Into the stage after the present one, or to the end."""
    following = at.stage + 1
    if following >= len(plan.stages):
        return Decision("promote", State.PROMOTED, at.stage, "gate")
    return Decision("advance", State(plan.stages[following].kind), following, "gate")


def as_json(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in Facts.__slots__}


def facts_from(data: Mapping[str, Any]) -> Facts:
    return Facts(**{name: data[name] for name in Facts.__slots__ if name in data})
