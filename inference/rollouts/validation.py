"""Before a candidate gets anything: it is loaded everywhere, and answers requests that stable has answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.contract import MISMATCH, check_passed, notes_of
from inference.endpoints.warming import load_everywhere
from inference.golden.running import run_golden
from inference.golden.words import sentence_of
from inference.models import Endpoint, GoldenRun, Rollout, RolloutState
from inference.replay.gate import run_gate
from inference.rollouts import steps
from inference.rollouts.machine import Position, State, onward
from inference.rollouts.plan import plan_of
from inference.rollouts.transitions import Transition, transit
from portal.lib.errors import Conflict, Unavailable
from registry.access.principal import SYSTEM

CLAIM_SECONDS = 80.0


class Examined(NamedTuple):
    """One of `failed` and `passed` is empty; each says why. `notes` go to the record."""

    failed: str
    passed: str
    notes: dict[str, Any]


def validate(rollout_id: int) -> None:
    """Idempotent: a second one at the same time finds the rollout claimed."""
    rollout = _claim(rollout_id)
    if rollout is None:
        return
    found = _examine(rollout)
    if found.failed:
        _fail(rollout, found.failed, found.notes)
        return
    _begin(rollout, found)


def _fail(rollout: Rollout, why: str, notes: dict[str, Any]) -> None:
    step = Transition("failed_validation", RolloutState.FAILED_VALIDATION, sentence=why, notes=notes)
    with transaction.atomic():
        transit(SYSTEM, rollout, step)


def _claim(rollout_id: int) -> Rollout | None:
    now = timezone.now()
    free = Q(evaluated_at=None) | Q(evaluated_at__lt=now - timedelta(seconds=CLAIM_SECONDS))
    mine = Rollout.objects.filter(free, pk=rollout_id, state=RolloutState.VALIDATING)
    if not mine.update(evaluated_at=now):
        return None
    return Rollout.objects.select_related("endpoint", "stable", "candidate", "base_split").get(pk=rollout_id)


def _examine(rollout: Rollout) -> Examined:
    try:
        load_everywhere([rollout.candidate])
    except Unavailable as error:
        return Examined(str(error), "", {})
    run = run_golden(rollout.candidate_id, "rollout")
    forced = rollout.options.get("force") is True
    notes = notes_of([MISMATCH] if forced and run and run.n_failed else [], [run] if run else [])
    try:
        golden = _golden(rollout, run, forced)
    except Conflict as error:
        return Examined(str(error), "", notes)
    if not rollout.options["replay"] and not rollout.endpoint.replay_required:
        return Examined("", _join(golden, _("Loaded by every process.")), notes)
    # The replay has its time from now on.
    Rollout.objects.filter(pk=rollout.pk, state=RolloutState.VALIDATING).update(evaluated_at=timezone.now())
    gate = run_gate(rollout)
    said = _join(golden, gate.sentence)
    return Examined("", said, notes) if gate.passed else Examined(gate.sentence, "", notes)


def _golden(rollout: Rollout, run: GoldenRun | None, forced: bool) -> str:
    """What is to be said of it. Raises Conflict where it failed and is not overridden."""
    if run is None:
        return ""
    if not forced:
        check_passed(rollout.candidate, run)
    return sentence_of(run)


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _begin(rollout: Rollout, found: Examined) -> None:
    """Into the first stage; a plan without one gives all traffic at once."""
    now = Endpoint.objects.only("epoch").get(pk=rollout.endpoint_id)
    if now.epoch != rollout.epoch:
        _fail(rollout, _("The traffic was moved meanwhile: start again from what is live now."), found.notes)
        return
    decision = onward(plan_of(rollout), Position(State.VALIDATING, -1))
    try:
        if decision.to is State.PROMOTED:
            step = Transition("promote", RolloutState.PROMOTED, sentence=found.passed, notes=found.notes)
            steps.promote(SYSTEM, rollout, step)
        else:
            step = Transition("advance", str(decision.to), sentence=found.passed, stage=decision.stage)
            step.notes.update(found.notes)
            step.changes["evaluated_at"] = timezone.now()
            steps.enter_stage(SYSTEM, rollout, decision.stage, step)
    except Conflict as error:
        if error.code != "version_quarantined":
            raise
        _fail(rollout, str(error), found.notes)
