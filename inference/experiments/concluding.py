"""The end of an experiment: the traffic goes back to where it was, and a winner goes on from there by a rollout.

The end itself is one conditional UPDATE in the transaction that moves the traffic back. Asked for the same again, it
answers with what is; asked for something else, it says what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.moves import Switched, move_back
from inference.endpoints.switching import check_reason
from inference.experiments.words import sentence_of
from inference.models import Endpoint, Experiment, Rollout, SplitActivation, TrafficSplit
from inference.rollouts.presets import PRESETS
from inference.rollouts.services import create_rollout
from inference.routing.convergence import wait_until_taken
from portal.lib.errors import Conflict, InvalidInput, PortalError
from registry.access import policy
from registry.access.principal import Principal
from registry.notifications.services import notify
from registry.services import audit

State = Experiment.State
ENDED = (State.CONCLUDED, State.STOPPED)
DEFAULT_PRESET = "canary"


@dataclass(frozen=True)
class Concluded:
    """`rollout` is None unless a winner other than the control goes on by one."""

    experiment: Experiment
    switched: Switched
    rollout: Rollout | None


def conclude(
    principal: Principal,
    experiment: Experiment,
    *,
    winner: str | None,
    reason: str,
    preset: str = DEFAULT_PRESET,
    lock_version: int | None = None,
) -> Concluded:
    """`winner` None stops it, the control's key keeps what was; another arm's version goes on by a rollout."""
    endpoint = experiment.endpoint
    policy.require_endpoint(principal, "experiment.operate", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    _check_winner(experiment, winner, preset)
    if lock_version is not None and lock_version != experiment.lock_version and experiment.state not in ENDED:
        raise ended(experiment)
    switched = _end(principal, experiment, winner, reason)
    now = fresh(experiment.pk)
    return Concluded(now, switched, _go_on(principal, now, winner, preset, reason))


def stop(principal: Principal, experiment: Experiment, *, reason: str) -> Switched:
    """Without a winner: back to what was live before."""
    return conclude(principal, experiment, winner=None, reason=reason).switched


def fresh(experiment_id: int) -> Experiment:
    related = "endpoint__live_split", "endpoint__model", "endpoint__project", "base_split", "created_by"
    return Experiment.objects.select_related(*related).get(pk=experiment_id)


def ended(experiment: Experiment) -> Conflict:
    """What the loser of a race is told."""
    now = fresh(experiment.pk)
    return Conflict(
        _("Somebody else was faster: the experiment is %(state)s now.") % {"state": now.get_state_display().lower()},
        code="experiment_ended" if now.state in ENDED else "experiment_moved",
        details={
            "experiment": now.pk,
            "state": now.state,
            "winner": now.verdict.get("chosen"),
            "lock_version": now.lock_version,
        },
    )


def _check_winner(experiment: Experiment, winner: str | None, preset: str) -> None:
    keys = list(experiment.arms.values_list("key", flat=True))
    if winner is not None and winner not in keys:
        raise InvalidInput(
            _("The winner has to be one of the arms: %(all)s; or nothing, to stop.") % {"all": ", ".join(keys)},
            code="unknown_arm",
            details={"field": "winner"},
        )
    if preset not in PRESETS:
        raise InvalidInput(
            _("There is no such preset: take one of %(all)s.") % {"all": ", ".join(PRESETS)},
            code="invalid_preset",
            details={"field": "rollout"},
        )


def _end(principal: Principal, experiment: Experiment, winner: str | None, reason: str) -> Switched:
    """Moves the traffic back if it is still the experiment's, and writes the end with it."""
    now = fresh(experiment.pk)
    if now.state in ENDED:
        return _again(now, winner)
    if not is_live(now):
        with transaction.atomic():
            write_end(principal, now, winner, reason)
        return _unmoved(now)

    def inside(_locked: Endpoint, _split: TrafficSplit) -> None:
        write_end(principal, now, winner, reason)

    kind, epoch = SplitActivation.Kind.EXPERIMENT, now.endpoint.epoch
    try:
        return move_back(principal, now.endpoint_id, now.base_split, kind, reason, expected_epoch=epoch, inside=inside)
    except Conflict:
        later = fresh(experiment.pk)
        if later.state not in ENDED:
            raise
        return _again(later, winner)


def is_live(experiment: Experiment) -> bool:
    """Whether the live split is the experiment's; else a version was locked away, or the endpoint is gone."""
    endpoint = Endpoint.objects.select_related("live_split").get(pk=experiment.endpoint_id)
    live = endpoint.live_split
    return endpoint.deleted_at is None and live is not None and live.experiment_id == experiment.pk


def _again(experiment: Experiment, winner: str | None) -> Switched:
    if experiment.verdict.get("chosen") != winner:
        raise ended(experiment)
    return _unmoved(experiment)


def _unmoved(experiment: Experiment) -> Switched:
    endpoint = experiment.endpoint
    return Switched(endpoint, wait_until_taken(endpoint.changed_sequence), changed=False)


def write_end(principal: Principal, experiment: Experiment, winner: str | None, reason: str) -> None:
    """In the transaction of the move. Raises Conflict where it has ended already."""
    locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
    verdict = {**locked.verdict, "chosen": winner}
    changed = Experiment.objects.filter(pk=locked.pk, state__in=[State.DRAFT, State.RUNNING]).update(
        state=State.STOPPED if winner is None else State.CONCLUDED,
        ended_at=timezone.now(),
        conclusion=reason,
        verdict=verdict,
        lock_version=F("lock_version") + 1,
    )
    if not changed:
        raise ended(experiment)
    sentence = sentence_of(locked)
    details = {"winner": winner, "code": verdict.get("code"), "sentence": sentence}
    project_id = experiment.endpoint.project_id
    action = "experiment.stopped" if winner is None else "experiment.concluded"
    audit.record(principal, action, experiment, project_id=project_id, reason=reason, details=details)
    notify(project_id, "experiment.concluded", _subject(experiment, winner), told(experiment, details, principal))


def _subject(experiment: Experiment, winner: str | None) -> str:
    facts = {"name": experiment.name, "slug": experiment.endpoint.slug, "arm": winner}
    if winner is None:
        return _("Experiment “%(name)s” at %(slug)s was stopped") % facts
    return _("Experiment “%(name)s” at %(slug)s was concluded for %(arm)s") % facts


def told(experiment: Experiment, details: dict[str, Any], principal: Principal) -> dict[str, Any]:
    return {"experiment": experiment.pk, "endpoint": experiment.endpoint.slug, "by": principal.name, **details}


def _go_on(
    principal: Principal, experiment: Experiment, winner: str | None, preset: str, reason: str
) -> Rollout | None:
    """The winner's rollout: begun once, and found again by whoever asks again."""
    arms = {arm.key: arm for arm in experiment.arms.select_related("version")}
    if winner is None or winner == next(iter(arms)):
        return None
    begun = experiment.verdict.get("rollout")
    if begun is not None:
        return Rollout.objects.filter(pk=begun).first()
    plan = {"candidate": arms[winner].version.number, "preset": preset, "reason": reason}
    try:
        rollout = create_rollout(principal, experiment.endpoint, plan)
    except PortalError as error:
        raise _not_begun(error) from error
    with transaction.atomic():
        locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
        locked.verdict = {**locked.verdict, "rollout": rollout.pk}
        locked.save(update_fields=["verdict"])
    experiment.verdict = locked.verdict
    return rollout


def _not_begun(error: PortalError) -> PortalError:
    said = _("The experiment is concluded and its traffic is back, but the winner's rollout did not begin: %(why)s")
    return type(error)(
        said % {"why": error.message},
        code=error.code,
        details={**error.details, "concluded": True},
        retry_after=error.retry_after,
    )
