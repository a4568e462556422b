"""The machine alone: what it decides, in which order, and that no state is a dead end."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import log

import pytest

from inference.analysis.srm import ALARM_LN
from inference.models import ENDED as MODEL_ENDED
from inference.models import RolloutState
from inference.rollouts.machine import (
    ENDED,
    HOLD_LN,
    LIVE,
    PERSONS,
    PROOF_LN,
    RESUME_LN,
    ROLL_BACK_LN,
    Decision,
    Facts,
    Plan,
    Position,
    Stage,
    State,
    as_json,
    decide,
    facts_from,
    gate,
)

SHADOW = Stage("shadow", 0, 300.0, 500)
FIRST = Stage("canary", 100, 300.0, 100, 0.02)
SECOND = Stage("canary", 500, 300.0, 300, 0.01, needs_approval=True)
HOLDBACK = Stage("holdback", 9_500, 600.0, 300)
PLAN = Plan((SHADOW, FIRST, SECOND, HOLDBACK))
IN_SHADOW, IN_FIRST, IN_SECOND, IN_HOLDBACK = (
    Position(State.SHADOW, 0),
    Position(State.CANARY, 1),
    Position(State.CANARY, 2),
    Position(State.HOLDBACK, 3),
)
GOOD = Facts(
    ln_e={"errors": -1.0, "latency": -0.5},
    stage_seconds=600.0,
    n_canary=1_000,
    n_stable=50_000,
    n_pairs=900,
    proof_ln=PROOF_LN,
    agreement_ln=PROOF_LN,
)


def test_good_facts__each_stage__lead_to_the_next_and_to_the_end() -> None:
    assert decide(PLAN, IN_SHADOW, GOOD) == Decision("advance", State.CANARY, 1, "gate")
    assert decide(PLAN, IN_FIRST, GOOD) == Decision("advance", State.CANARY, 2, "gate")
    assert decide(PLAN, IN_SECOND, GOOD) == Decision(missing=("approval",))
    assert decide(PLAN, IN_HOLDBACK, GOOD) == Decision("promote", State.PROMOTED, 3, "gate")


@pytest.mark.parametrize(
    ("at", "change", "missing"),
    [
        (IN_SHADOW, {"stage_seconds": 299.0}, ("bake",)),
        (IN_SHADOW, {"n_pairs": 499}, ("pairs",)),
        (IN_SHADOW, {"agreement_ln": PROOF_LN - 0.01}, ("agreement",)),
        (IN_SHADOW, {"agreement_ln": None}, ("agreement",)),
        (IN_FIRST, {"n_canary": 99}, ("n_min",)),
        (IN_FIRST, {"proof_ln": PROOF_LN - 0.01}, ("proof",)),
        (IN_FIRST, {"srm_ln": HOLD_LN}, ("srm",)),
        (IN_HOLDBACK, {"n_stable": 299}, ("n_min",)),
        (IN_SECOND, {"n_canary": 1, "stage_seconds": 1.0}, ("bake", "n_min")),
    ],
)
def test_gate__one_thing_missing__waits_and_says_so(at: Position, change: dict, missing: tuple[str, ...]) -> None:
    decision = decide(PLAN, at, replace(GOOD, **change))
    assert decision.event == ""
    assert decision.missing == missing


def test_gate__no_data_at_all__is_never_success() -> None:
    nothing = Facts(stage_seconds=1e9)
    for at in (IN_SHADOW, IN_FIRST, IN_SECOND, IN_HOLDBACK):
        assert decide(PLAN, at, nothing).event == ""
        assert gate(PLAN, at, nothing)


@pytest.mark.parametrize("state", sorted(LIVE))
def test_harm__in_every_live_state__rolls_back(state: State) -> None:
    at = Position(state, 1, State.CANARY)
    proven = decide(PLAN, at, replace(GOOD, ln_e={"errors": 0.0, "latency": ROLL_BACK_LN}))
    assert (proven.event, proven.to, proven.code, proven.guardrail) == (
        "roll_back",
        State.ROLLING_BACK,
        "evidence",
        "latency",
    )
    faulty = decide(PLAN, at, replace(GOOD, fault="It crashed."))
    assert (faulty.to, faulty.code) == (State.ROLLING_BACK, "fault")


def test_precedence__fault_before_evidence_before_pause_before_hold() -> None:
    awful = replace(GOOD, fault="It crashed.", ln_e={"errors": ROLL_BACK_LN}, srm_ln=ALARM_LN, telemetry_age=1e6)
    paused = Position(State.PAUSED, 1, State.CANARY)
    assert decide(PLAN, paused, awful).code == "fault"
    assert decide(PLAN, paused, replace(awful, fault="")).code == "evidence"
    doubtful = replace(GOOD, ln_e={"errors": HOLD_LN})
    assert decide(PLAN, paused, doubtful) == Decision(missing=("paused",))
    assert decide(PLAN, IN_FIRST, doubtful) == Decision("hold", State.HOLD, 1, "evidence", "errors")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ln_e": {"errors": HOLD_LN}}, "evidence"),
        ({"srm_ln": ALARM_LN}, "srm"),
        ({"slo": "Too slow."}, "slo"),
        ({"telemetry_age": 60.1}, "telemetry"),
        ({"telemetry_age": None}, "telemetry"),
    ],
)
def test_hold__each_reason__keeps_the_stage(change: dict, code: str) -> None:
    decision = decide(PLAN, IN_FIRST, replace(GOOD, **change))
    assert (decision.event, decision.to, decision.stage, decision.code) == ("hold", State.HOLD, 1, code)


def test_hold__calm_twice_in_a_row__goes_back_to_where_it_was() -> None:
    held = Position(State.HOLD, 1, State.CANARY)
    calm = replace(GOOD, ln_e={"errors": RESUME_LN - 0.01})
    first = decide(PLAN, held, calm)
    assert (first.event, first.n_calm) == ("", 1)
    second = decide(PLAN, replace(held, n_calm=first.n_calm), calm)
    assert (second.event, second.to, second.stage) == ("resume", State.CANARY, 1)
    between = decide(PLAN, replace(held, n_calm=1), replace(GOOD, ln_e={"errors": RESUME_LN}))
    assert (between.event, between.n_calm) == ("", 0)


def test_hold__for_too_long__rolls_back_or_waits_as_planned() -> None:
    held = Position(State.HOLD, 1, State.CANARY)
    stuck = replace(GOOD, ln_e={"errors": HOLD_LN}, held_seconds=3_600.0)
    assert decide(PLAN, held, stuck).code == "held_too_long"
    assert decide(replace(PLAN, on_hold="wait"), held, stuck).event == ""
    assert decide(PLAN, held, replace(stuck, held_seconds=3_599.0)).event == ""
    assert decide(PLAN, held, replace(stuck, ln_e={"errors": log(7)})).event == ""


def test_thresholds__decide_by_checks_alone() -> None:
    plan = replace(PLAN, policy="thresholds")
    facts = replace(GOOD, ln_e={"errors": ROLL_BACK_LN}, proof_ln=0.0)
    assert decide(plan, IN_FIRST, replace(facts, check_passed=True)).event == "advance"
    assert decide(plan, IN_FIRST, replace(facts, check_passed=False)).missing == ("check",)
    assert decide(plan, IN_FIRST, facts).missing == ("check",)
    assert decide(plan, IN_FIRST, replace(facts, n_failed_checks=5)).code == "thresholds"


def test_difference_expected__shadow__needs_no_agreement() -> None:
    plan = replace(PLAN, expects_difference=True)
    assert decide(plan, IN_SHADOW, replace(GOOD, agreement_ln=None)).event == "advance"


def test_no_stage__is_never_left_by_chance() -> None:
    """Over a grid of facts: whatever is decided leads to a state that the diagram has from there."""
    allowed = {
        "advance": {State.CANARY, State.HOLDBACK},
        "hold": {State.HOLD},
        "resume": {State.SHADOW, State.CANARY, State.HOLDBACK},
        "roll_back": {State.ROLLING_BACK},
        "promote": {State.PROMOTED},
        "": {None},
    }
    grid = product(
        [IN_SHADOW, IN_FIRST, IN_SECOND, IN_HOLDBACK, Position(State.HOLD, 1, State.CANARY, 1)],
        [-1.0, log(7), HOLD_LN, ROLL_BACK_LN],
        [0.0, 1e4],
        [0, 1_000],
        [None, 1.0, 100.0],
        ["", "fault"],
    )
    for at, ln_e, seconds, n, age, fault in grid:
        facts = replace(GOOD, ln_e={"errors": ln_e}, stage_seconds=seconds, n_canary=n, telemetry_age=age, fault=fault)
        decision = decide(PLAN, at, facts)
        assert decision.to in allowed[decision.event]
        if decision.event in ("advance", "promote"):
            assert not fault
            assert ln_e < HOLD_LN
            assert age is not None


def test_ended_and_not_begun__nothing_is_decided() -> None:
    for state in [*ENDED, State.DRAFT, State.VALIDATING, State.ROLLING_BACK]:
        assert decide(PLAN, Position(state, 1), replace(GOOD, fault="It crashed.")) == Decision()


def test_persons__may_abort_from_every_state_that_has_not_ended() -> None:
    assert PERSONS["abort"] == set(State) - ENDED - {State.ROLLING_BACK}


def test_facts__through_json__are_the_same() -> None:
    assert facts_from({**as_json(GOOD), "more": 1}) == GOOD


def test_states__of_the_machine_and_of_the_table__are_the_same() -> None:
    assert {state.value for state in State} == set(RolloutState.values)
    assert {state.value for state in ENDED} == set(MODEL_ENDED)
