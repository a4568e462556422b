"""What persons do to a rollout. Each command says why, and names the version that it saw where it wants to be sure."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from inference.endpoints.switching import check_reason
from inference.models import Rollout, RolloutState
from inference.rollouts import steps
from inference.rollouts.machine import HOLD_LN, PERSONS, Position, State, onward
from inference.rollouts.plan import plan_of
from inference.rollouts.transitions import Transition, moved, transit
from inference.selectors.rollouts import last_run
from portal.lib.errors import Conflict, NotAllowed
from registry.access import policy
from registry.access.principal import Principal


def pause(principal: Principal, rollout: Rollout, *, reason: str, lock_version: int | None = None) -> Rollout:
    """The weights stay, and the guards go on: evidence of harm still rolls back."""
    _check(principal, rollout, "pause", reason, lock_version)
    before = rollout.state_before if rollout.state == RolloutState.HOLD else rollout.state
    step = Transition("pause", RolloutState.PAUSED, reason, changes={"state_before": before})
    return _write(principal, rollout, step)


def resume(
    principal: Principal, rollout: Rollout, *, reason: str, lock_version: int | None = None, force: bool = False
) -> Rollout:
    _check(principal, rollout, "resume", reason, lock_version)
    if rollout.state == RolloutState.HOLD:
        _check_second(principal, rollout, force)
    step = Transition("resume", rollout.state_before, reason, evidence=_marks(rollout, force))
    return _write(principal, rollout, step)


def advance(
    principal: Principal, rollout: Rollout, *, reason: str, lock_version: int | None = None, force: bool = False
) -> Rollout:
    """Into the next stage now, whatever this one still waits for."""
    _check(principal, rollout, "advance", reason, lock_version)
    _check_second(principal, rollout, force)
    decision = onward(plan_of(rollout), Position(State(rollout.state), rollout.position))
    if decision.to is State.PROMOTED:
        return promote(principal, rollout, reason=reason, lock_version=lock_version, force=force)
    assert decision.to is not None
    step = Transition("advance", decision.to, reason, stage=decision.stage, evidence=_marks(rollout, force))
    steps.enter_stage(principal, rollout, decision.stage, step)
    return rollout


def promote(
    principal: Principal, rollout: Rollout, *, reason: str, lock_version: int | None = None, force: bool = False
) -> Rollout:
    """All traffic to the candidate now."""
    _check(principal, rollout, "promote", reason, lock_version)
    _check_second(principal, rollout, force)
    steps.promote(
        principal, rollout, Transition("promote", RolloutState.PROMOTED, reason, evidence=_marks(rollout, force))
    )
    return rollout


def abort(principal: Principal, rollout: Rollout, *, reason: str, lock_version: int | None = None) -> Rollout:
    """Back to what was live before. Legal from every state that has not ended, and wins over everything else."""
    _check(principal, rollout, "abort", reason, lock_version)
    if rollout.state in (RolloutState.DRAFT, RolloutState.VALIDATING):
        return _write(principal, rollout, Transition("aborted", RolloutState.ABORTED, reason))
    step = Transition("abort", RolloutState.ROLLING_BACK, reason)
    steps.roll_back(rollout, step, principal=principal, ending=RolloutState.ABORTED)
    return rollout


def _check(principal: Principal, rollout: Rollout, command: str, reason: str, lock_version: int | None) -> None:
    endpoint = rollout.endpoint
    policy.require_endpoint(principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    if lock_version is not None and lock_version != rollout.lock_version:
        raise moved(rollout)
    if rollout.state not in PERSONS[command]:
        raise Conflict(
            _("The rollout is %(state)s: it takes no “%(command)s” now.")
            % {"state": rollout.get_state_display().lower(), "command": command},
            code="wrong_state",
            details={"rollout": rollout.pk, "state": rollout.state, "lock_version": rollout.lock_version},
        )


def worst_ln_e(rollout: Rollout) -> float:
    """The strongest evidence of harm as the controller last saw it."""
    run = last_run(rollout)
    return max(run.ln_e.values(), default=0.0) if run else 0.0


def _check_second(principal: Principal, rollout: Rollout, force: bool) -> None:
    """With evidence of harm it takes a second person, or one who says that he knows."""
    if worst_ln_e(rollout) < HOLD_LN or force or principal.user_id != rollout.created_by_id:
        return
    raise NotAllowed(
        _("There is evidence of harm: have a second person do this, or force it."),
        code="second_person_needed",
        details={"rollout": rollout.pk},
    )


def _marks(rollout: Rollout, force: bool) -> dict[str, object]:
    worst = worst_ln_e(rollout)
    return {"against_evidence": worst >= HOLD_LN, "forced": force, "worst_ln_e": worst} if worst >= HOLD_LN else {}


def _write(principal: Principal, rollout: Rollout, step: Transition) -> Rollout:
    with transaction.atomic():
        transit(principal, rollout, step)
    return rollout
