"""One transition of a rollout: compare-and-set on its state and version, with its event, in the caller's transaction.

Whoever comes second finds the row changed and gets a Conflict that says where the rollout is now; nothing of his is
written then, as everything stands in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import ENDED, Rollout, RolloutEvent, RolloutStage, RolloutState, TrafficSplit
from portal.lib.errors import Conflict
from registry.access.principal import Principal
from registry.notifications.services import notify
from registry.services import audit

# What is told to those who asked for notifications; what is not here is for the record only.
TOLD = {
    "start": "rollout.started",
    "hold": "rollout.held",
    "resume": "rollout.resumed",
    "advance": "rollout.advanced",
    "promote": "rollout.promoted",
    "rolled_back": "rollout.rolled_back",
    "aborted": "rollout.aborted",
    "failed_validation": "rollout.failed_validation",
}


@dataclass(frozen=True)
class Transition:
    """`stage` is the one to enter, or None to stay; `changes` are further fields of the rollout. `notes` go to the
    audit record and nowhere else."""

    event: str
    to: str
    reason: str = ""
    sentence: str = ""
    stage: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def transit(principal: Principal, rollout: Rollout, step: Transition, split: TrafficSplit | None = None) -> None:
    """Writes the step for a rollout that was read before, and brings `rollout` up to date. Raises Conflict."""
    now = timezone.now()
    changes = {"state": step.to, "lock_version": rollout.lock_version + 1, **_moments(step, now), **step.changes}
    if step.stage is not None:
        changes |= {"position": step.stage, "stage_seconds": 0.0, "n_calm": 0}
    same = Rollout.objects.filter(pk=rollout.pk, state=rollout.state, lock_version=rollout.lock_version)
    if not same.update(**changes):
        raise moved(rollout)
    if step.stage is not None:
        _enter(rollout, step.stage, split, now)
    _record(principal, rollout, step, now)
    for name, value in changes.items():
        setattr(rollout, name, value)


def moved(rollout: Rollout) -> Conflict:
    now = Rollout.objects.get(pk=rollout.pk)
    return Conflict(
        _("Somebody else was faster: the rollout is %(state)s now. Look and try again.")
        % {"state": now.get_state_display().lower()},
        code="rollout_moved",
        details={"rollout": now.pk, "state": now.state, "stage": now.position, "lock_version": now.lock_version},
    )


def _moments(step: Transition, now: Any) -> dict[str, Any]:
    if step.to == RolloutState.HOLD:
        return {"held_at": now, "held_seconds": 0.0, "n_calm": 0}
    return {"ended_at": now, "why": step.sentence or step.reason} if step.to in ENDED else {}


def _enter(rollout: Rollout, index: int, split: TrafficSplit | None, now: Any) -> None:
    stages = RolloutStage.objects.filter(rollout=rollout)
    stages.filter(index__lt=index, began_at__isnull=False, ended_at=None).update(ended_at=now)
    stages.filter(index=index).update(began_at=now, split=split)


def _record(principal: Principal, rollout: Rollout, step: Transition, now: Any) -> None:
    RolloutEvent.objects.create(
        rollout=rollout,
        number=rollout.lock_version + 1,
        at=now,
        event=step.event,
        state_from=rollout.state,
        state_to=step.to,
        position=rollout.position if step.stage is None else step.stage,
        seq=rollout.seq,
        actor_id=principal.user_id,
        actor_name=principal.name,
        reason=step.reason,
        sentence=step.sentence,
        evidence=step.evidence,
    )
    project_id = rollout.endpoint.project_id
    details = {"from": rollout.state, "to": step.to, "sentence": step.sentence, "evidence": step.evidence, **step.notes}
    audit.record(
        principal, f"rollout.{step.event}", rollout, project_id=project_id, reason=step.reason, details=details
    )
    if step.event in TOLD:
        notify(project_id, TOLD[step.event], str(rollout), _told(principal, rollout, step))


def _told(principal: Principal, rollout: Rollout, step: Transition) -> dict[str, Any]:
    return {
        "rollout": rollout.pk,
        "endpoint": rollout.endpoint.slug,
        "stable": rollout.stable.number,
        "candidate": rollout.candidate.number,
        "state": step.to,
        "by": principal.name,
        "reason": step.reason,
        "sentence": step.sentence,
    }
