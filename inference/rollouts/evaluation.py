"""One look at one rollout: takes the evidence, states the facts, and says what the machine makes of them.

All of it is one transaction under the rollout's row, which a second controller skips. What the decision then changes is
another transaction, compared and set on the version that was seen here: whoever dies in between has changed nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from inference.models import AnalysisRun, EvidenceWindow, Rollout, RolloutStage, ServingProcess
from inference.rollouts import evidence, ledger, machine
from inference.rollouts.faults import hard_fault
from inference.rollouts.objectives import broken_objective
from inference.rollouts.plan import plan_of
from inference.rollouts.thresholds import Check, check
from inference.rollouts.words import sentence_of

# What passes between two looks counts up to this much, so that neither a dead controller nor a clock that jumps bakes.
LONGEST_GAP_SECONDS = 30.0
TAUS_FROM = timedelta(minutes=10)
LIVE = [state.value for state in machine.LIVE]
_provers: dict[int, ledger.Prover] = {}


class Look(NamedTuple):
    rollout: Rollout
    decision: machine.Decision
    facts: machine.Facts
    sentence: str


def evaluate(rollout_id: int) -> Look | None:
    """None where another controller looks at it now, or there is nothing to look at any more."""
    with transaction.atomic():
        rollouts = Rollout.objects.select_related("endpoint", "stable", "candidate", "base_split", "inherits")
        rollout = (
            rollouts.select_for_update(of=("self",), skip_locked=True).filter(pk=rollout_id, state__in=LIVE).first()
        )
        return _look(rollout, timezone.now()) if rollout else None


def _look(rollout: Rollout, now: datetime) -> Look:
    stages = list(rollout.stages.all())
    stage = stages[rollout.position]
    batches, windows = evidence.take(rollout, stages, now)
    # After the batch: what tau was made from must not be judged by it.
    evidence.freeze_taus(rollout, stage, now - TAUS_FROM)
    if batches:
        rollout.seq += 1
    _let_time_pass(rollout, now)
    facts = _facts(rollout, stage, windows, now)
    plan, at = plan_of(rollout), _position(rollout)
    decision = machine.decide(plan, at, facts)
    rollout.n_calm, rollout.evaluated_at = decision.n_calm, now
    rollout.save(update_fields=["seq", "stage_seconds", "held_seconds", "n_calm", "evaluated_at", "options"])
    sentence = sentence_of(rollout, decision, facts)
    if batches or decision.event:
        _write_run(rollout, decision, facts, sentence, now)
    return Look(rollout, decision, facts, sentence)


def _let_time_pass(rollout: Rollout, now: datetime) -> None:
    since = rollout.evaluated_at or now
    passed = min(LONGEST_GAP_SECONDS, max(0.0, (now - since).total_seconds()))
    if rollout.state == machine.State.HOLD:
        rollout.held_seconds += passed
    elif rollout.state != machine.State.PAUSED:
        rollout.stage_seconds += passed


def _position(rollout: Rollout) -> machine.Position:
    before = machine.State(rollout.state_before) if rollout.state_before else None
    return machine.Position(machine.State(rollout.state), rollout.position, before, rollout.n_calm)


def _facts(rollout: Rollout, stage: RolloutStage, windows: list[EvidenceWindow], now: datetime) -> machine.Facts:
    prover = _provers.get(rollout.pk)
    if prover is None or prover.seq > rollout.seq:
        prover = _provers[rollout.pk] = ledger.Prover(rollout)
    prover.follow(rollout.seq)
    proven = prover.proven(stage)
    fixed = rollout.preset == "fixed_thresholds" and stage.kind != RolloutStage.Kind.SHADOW
    checked = check(rollout, stage, now) if fixed else Check(None, 0)
    return machine.Facts(
        ln_e=proven.ln_e,
        stage_seconds=rollout.stage_seconds,
        held_seconds=rollout.held_seconds,
        n_canary=proven.n_canary,
        n_stable=proven.n_stable,
        n_pairs=proven.n_pairs,
        proof_ln=proven.proof_ln,
        agreement_ln=proven.agreement_ln,
        srm_ln=proven.srm_ln,
        telemetry_age=telemetry_age(),
        fault=hard_fault(rollout, windows),
        slo=broken_objective(rollout.endpoint),
        n_failed_checks=checked.n_failed,
        check_passed=checked.passed,
    )


def telemetry_age() -> float | None:
    """Seconds since the serving process that is furthest behind wrote down what it counted; None where none ever did.

    One that has just begun has not yet, and one that answers pages only never does.
    """
    serving = ServingProcess.objects.filter(lease_expires_at__gt=Now(), counted_at__isnull=False)
    oldest = serving.order_by("counted_at").annotate(age=Now() - F("counted_at")).values_list("age", flat=True).first()
    return None if oldest is None else max(0.0, oldest.total_seconds())


def _write_run(
    rollout: Rollout, decision: machine.Decision, facts: machine.Facts, sentence: str, now: datetime
) -> None:
    AnalysisRun.objects.create(
        rollout=rollout,
        seq=rollout.seq,
        at=now,
        state=rollout.state,
        position=rollout.position,
        outcome=_outcome(decision),
        ln_e=facts.ln_e,
        facts={
            **machine.as_json(facts),
            "n_calm": rollout.n_calm,
            "state_before": rollout.state_before,
            "missing": list(decision.missing),
            "rates": ledger.rates_of(rollout),
        },
        event=decision.event,
        sentence=sentence,
    )


def _outcome(decision: machine.Decision) -> str:
    if decision.event == "roll_back":
        return AnalysisRun.Outcome.FAILED
    if decision.event == "hold" or decision.missing:
        return AnalysisRun.Outcome.INCONCLUSIVE
    return AnalysisRun.Outcome.SUCCESSFUL


def forget_provers(kept: set[int]) -> None:
    for pk in _provers.keys() - kept:
        del _provers[pk]
