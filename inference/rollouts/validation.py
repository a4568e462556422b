"""Before a candidate gets anything: it is loaded everywhere, and answers requests that stable has answered."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.warming import load_everywhere
from inference.models import Endpoint, Rollout, RolloutState
from inference.replay.gate import run_gate
from inference.rollouts import steps
from inference.rollouts.machine import Position, State, onward
from inference.rollouts.plan import plan_of
from inference.rollouts.transitions import Transition, transit
from portal.lib.errors import Conflict, Unavailable
from registry.access.principal import SYSTEM

CLAIM_SECONDS = 80.0


def validate(rollout_id: int) -> None:
    """Idempotent: a second one at the same time finds the rollout claimed."""
    rollout = _claim(rollout_id)
    if rollout is None:
        return
    failed, passed = _examine(rollout)
    if failed:
        with transaction.atomic():
            transit(SYSTEM, rollout, Transition("failed_validation", RolloutState.FAILED_VALIDATION, sentence=failed))
        return
    _begin(rollout, passed)


def _claim(rollout_id: int) -> Rollout | None:
    now = timezone.now()
    free = Q(evaluated_at=None) | Q(evaluated_at__lt=now - timedelta(seconds=CLAIM_SECONDS))
    mine = Rollout.objects.filter(free, pk=rollout_id, state=RolloutState.VALIDATING)
    if not mine.update(evaluated_at=now):
        return None
    return Rollout.objects.select_related("endpoint", "stable", "candidate", "base_split").get(pk=rollout_id)


def _examine(rollout: Rollout) -> tuple[str, str]:
    """(why it failed, why it passed): one of them is empty."""
    try:
        load_everywhere([rollout.candidate])
    except Unavailable as error:
        return str(error), ""
    if not rollout.options["replay"] and not rollout.endpoint.replay_required:
        return "", _("Loaded by every process.")
    gate = run_gate(rollout)
    return ("", gate.sentence) if gate.passed else (gate.sentence, "")


def _begin(rollout: Rollout, passed: str) -> None:
    """Into the first stage; a plan without one gives all traffic at once."""
    now = Endpoint.objects.only("epoch").get(pk=rollout.endpoint_id)
    if now.epoch != rollout.epoch:
        why = _("The traffic was moved meanwhile: start again from what is live now.")
        with transaction.atomic():
            transit(SYSTEM, rollout, Transition("failed_validation", RolloutState.FAILED_VALIDATION, sentence=why))
        return
    decision = onward(plan_of(rollout), Position(State.VALIDATING, -1))
    try:
        if decision.to is State.PROMOTED:
            steps.promote(SYSTEM, rollout, Transition("promote", RolloutState.PROMOTED, sentence=passed))
        else:
            step = Transition("advance", str(decision.to), sentence=passed, stage=decision.stage)
            step.changes["evaluated_at"] = timezone.now()
            steps.enter_stage(SYSTEM, rollout, decision.stage, step)
    except Conflict as error:
        if error.code != "version_quarantined":
            raise
        with transaction.atomic():
            failed = Transition("failed_validation", RolloutState.FAILED_VALIDATION, sentence=str(error))
            transit(SYSTEM, rollout, failed)
