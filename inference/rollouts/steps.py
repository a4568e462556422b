"""The steps that move a rollout and its endpoint's traffic together, for the controller and for persons alike.

A step is answered when every serving process has followed. One that did not follow in time changes nothing about the
step: it stands, and the process asks PostgreSQL before it answers again.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from inference.endpoints.moves import Moved, settle_move
from inference.models import Endpoint, Rollout, RolloutState, TrafficSplit
from inference.rollouts.traffic import give, give_all, take_back
from inference.rollouts.transitions import Transition, transit
from inference.routing.convergence import Converged
from registry.access.principal import SYSTEM, Principal


def enter_stage(principal: Principal, rollout: Rollout, index: int, step: Transition) -> Converged:
    stage = rollout.stages.get(index=index)

    def inside(endpoint: Endpoint, split: TrafficSplit) -> None:
        _moved(rollout, endpoint)
        transit(principal, rollout, step, split)

    return settle_move(give(principal, rollout, stage, _why(step), inside))


def promote(principal: Principal, rollout: Rollout, step: Transition) -> Converged:
    def inside(endpoint: Endpoint, _split: TrafficSplit) -> None:
        _moved(rollout, endpoint)
        transit(principal, rollout, step)
        rollout.stages.filter(began_at__isnull=False, ended_at=None).update(ended_at=rollout.ended_at)

    return settle_move(give_all(principal, rollout, _why(step), inside))


def take_traffic_back(principal: Principal, rollout: Rollout, ending: str, step: Transition) -> Moved | None:
    """The first half of a roll back, after which no new request meets the candidate on a process that has followed.

    None where the traffic is not the rollout's any more: somebody, such as the fall back from a quarantined version,
    has moved it meanwhile, and it stays where it is.
    """
    step.changes.update(state_before=ending)
    if not _owns_traffic(rollout):
        with transaction.atomic():
            transit(principal, rollout, step)
        return None

    def inside(endpoint: Endpoint, _split: TrafficSplit) -> None:
        _moved(rollout, endpoint)
        transit(principal, rollout, step)

    return take_back(principal, rollout, _why(step), inside)


def finish_taking_back(principal: Principal, rollout: Rollout, moved: Moved | None) -> Converged | None:
    """The second half: waits for the processes and ends the rollout. Whoever finds it half done may call it."""
    converged = settle_move(moved) if moved is not None else None
    first = rollout.events.filter(state_to=RolloutState.ROLLING_BACK).order_by("-number").first()
    evidence: dict[str, Any] = {"converged": converged.as_json()} if converged else {}
    step = Transition(
        rollout.state_before,
        rollout.state_before,
        reason=first.reason if first else "",
        sentence=first.sentence if first else "",
        evidence=evidence,
    )
    with transaction.atomic():
        transit(principal, rollout, step)
        rollout.stages.filter(began_at__isnull=False, ended_at=None).update(ended_at=rollout.ended_at)
    return converged


def roll_back(
    rollout: Rollout, step: Transition, *, principal: Principal = SYSTEM, ending: str = RolloutState.ROLLED_BACK
) -> Converged | None:
    moved = take_traffic_back(principal, rollout, ending, step)
    return finish_taking_back(principal, rollout, moved)


def _owns_traffic(rollout: Rollout) -> bool:
    """Whether what is live now is a split of this rollout."""
    live = Endpoint.objects.filter(pk=rollout.endpoint_id, live_split__rollout=rollout, epoch=rollout.epoch)
    return live.exists()


def _moved(rollout: Rollout, endpoint: Endpoint) -> None:
    rollout.epoch = endpoint.epoch
    Rollout.objects.filter(pk=rollout.pk).update(epoch=endpoint.epoch)


def _why(step: Transition) -> str:
    return step.reason or step.sentence
