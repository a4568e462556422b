"""Starting a rollout, and going back with one act whatever runs. Persons' other commands stand in `commands.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints import switching
from inference.endpoints.compatible import check_compatible
from inference.endpoints.contract import notes_of, with_way_out
from inference.endpoints.moves import Switched, check_free, check_ready, load_missing, lock, wanted_of
from inference.endpoints.switching import WantedShare, check_idle, check_reason
from inference.models import ENDED, Endpoint, Rollout, RolloutState, TrafficSplit
from inference.rollouts.commands import abort, advance, pause, promote, resume
from inference.rollouts.machine import ROLL_BACK_LN
from inference.rollouts.plan import parse, write_stages
from inference.rollouts.transitions import Transition, transit
from inference.routing.convergence import bump_sequence, wait_until_taken
from inference.selectors.endpoints import version_of_endpoint
from inference.selectors.rollouts import last_run, running_rollout
from portal.lib.errors import Conflict, InvalidInput
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion
from registry.services import audit
from registry.services.doorbell import ring

__all__ = ["abort", "advance", "create_rollout", "pause", "promote", "rehearse", "resume", "roll_back", "start"]


class Rehearsal(NamedTuple):
    """How long every serving process took to follow, in seconds."""

    seconds: float
    processes: int
    acknowledged: int


def create_rollout(principal: Principal, endpoint: Endpoint, data: Mapping[str, Any]) -> Rollout:
    """`data` is the body of `POST /api/v1/endpoints/{slug}/rollouts`. It starts at once unless it says `draft`."""
    policy.require_endpoint(principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    reason = data.get("reason", "")
    check_reason(reason)
    wanted = parse(data)
    _check_alone(endpoint)
    base, stable = _base(endpoint)
    candidate = version_of_endpoint(endpoint, _number(data.get("candidate")))
    force = data.get("force") is True
    forced = _check_pair(stable, candidate, force=force)
    earlier = _inherited(endpoint, stable, candidate, forced if force else None)
    with transaction.atomic():
        _sequence, locked = lock(endpoint.pk, endpoint.epoch)
        _check_alone(locked)
        rollout = Rollout.objects.create(
            endpoint=locked,
            stable=stable,
            candidate=candidate,
            preset=wanted.preset.name,
            # What validation finds later may be overridden, too.
            options={**wanted.options, "force": force},
            base_split=base,
            epoch=locked.epoch,
            inherits=earlier,
            reason=reason,
            created_by_id=principal.user_id,
        )
        write_stages(rollout, wanted.stages)
        if data.get("draft") is not True:
            _start(principal, rollout, reason, forced)
    return rollout


def start(principal: Principal, rollout: Rollout, *, reason: str) -> Rollout:
    """A draft begins, if what it was planned for still stands."""
    endpoint = rollout.endpoint
    policy.require_endpoint(principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    if rollout.state != RolloutState.DRAFT:
        raise Conflict(_("The rollout has begun already."), code="wrong_state", details={"state": rollout.state})
    check_idle(endpoint)
    base, stable = _base(endpoint)
    forced = _check_pair(stable, rollout.candidate, force=rollout.options.get("force") is True)
    with transaction.atomic():
        _sequence, locked = lock(endpoint.pk, endpoint.epoch)
        check_idle(locked)
        rollout.base_split, rollout.stable, rollout.epoch = base, stable, locked.epoch
        Rollout.objects.filter(pk=rollout.pk).update(base_split=base, stable=stable, epoch=locked.epoch)
        _start(principal, rollout, reason, forced)
    return rollout


def _start(principal: Principal, rollout: Rollout, reason: str, forced: list[str]) -> None:
    changes = {"started_at": timezone.now()}
    step = Transition("start", RolloutState.VALIDATING, reason, changes=changes, notes=notes_of(forced, ()))
    transit(principal, rollout, step)
    transaction.on_commit(lambda: ring("inference.tasks.validate_rollout", rollout.pk), robust=True)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise InvalidInput(
            _("candidate has to be the number of a version."), code="unknown_version", details={"field": "candidate"}
        )
    return value


def _base(endpoint: Endpoint) -> tuple[TrafficSplit, ModelVersion]:
    """The live split and the one version that it gives all traffic."""
    if endpoint.live_split is None:
        raise Conflict(
            _("Nothing is served here yet: promote a version first, a rollout goes on from it."),
            code="nothing_promoted",
        )
    live = [share for share in wanted_of(endpoint.live_split) if share.weight_bp]
    if len(live) != 1:
        raise Conflict(
            _("The live split divides the traffic already: promote one version first."),
            code="split_not_whole",
        )
    return endpoint.live_split, live[0].version


def _check_pair(stable: ModelVersion, candidate: ModelVersion, *, force: bool) -> list[str]:
    """The codes of what `force` has overridden."""
    if candidate.pk == stable.pk:
        raise InvalidInput(
            _("Version %(n)s has all traffic already: choose another one.") % {"n": candidate.number},
            code="same_version",
            details={"field": "candidate"},
        )
    wanted = [WantedShare("canary", candidate, 1)]
    check_ready(wanted)
    check_free(wanted)
    try:
        check_compatible(stable, candidate)
    except Conflict as error:
        if not force:
            raise with_way_out(error) from None
        return [error.code]
    return []


def _check_alone(endpoint: Endpoint) -> None:
    check_idle(endpoint)
    draft = Rollout.objects.filter(endpoint=endpoint).exclude(state__in=ENDED).first()
    if draft is not None:
        raise Conflict(
            _("Rollout %(n)s is planned here: start or abort it first.") % {"n": draft.pk},
            code="rollout_running",
            details={"rollout": draft.pk, "state": draft.state},
        )


def _inherited(
    endpoint: Endpoint, stable: ModelVersion, candidate: ModelVersion, forced: list[str] | None
) -> Rollout | None:
    """The last rollout of this pair, from whose evidence a retry goes on: trying often enough proves nothing.

    Who forces starts anew; what would have kept him from it is added to `forced`.
    """
    try:
        last = _last_of_pair(endpoint, stable, candidate)
    except Conflict as error:
        if forced is None:
            raise
        forced.append(error.code)
        return None
    return last if forced is None else None


def _last_of_pair(endpoint: Endpoint, stable: ModelVersion, candidate: ModelVersion) -> Rollout | None:
    last = Rollout.objects.filter(endpoint=endpoint, stable=stable, candidate=candidate, state__in=ENDED).first()
    if last is None or last.state == RolloutState.FAILED_VALIDATION:
        return None
    run = last_run(last)
    if run is not None and max(run.ln_e.values(), default=0.0) >= ROLL_BACK_LN:
        raise Conflict(
            _("This version was rolled back on evidence in rollout %(n)s: register a better one, or force it.")
            % {"n": last.pk},
            code="proven_harmful",
            details={"rollout": last.pk},
        )
    _check_cooled(last)
    return last


def _check_cooled(last: Rollout) -> None:
    ready_at = (last.ended_at or last.created_at) + timedelta(seconds=last.options["cooldown_seconds"])
    left = (ready_at - timezone.now()).total_seconds()
    if last.state == RolloutState.ROLLED_BACK and left > 0:
        raise Conflict(
            _("This version was rolled back a moment ago: wait %(n).0f s, or force it.") % {"n": left},
            code="cooling_down",
            details={"rollout": last.pk},
            retry_after=int(left) + 1,
        )


def roll_back(
    principal: Principal, endpoint: Endpoint, *, reason: str, revision: int | None = None, epoch: int | None = None
) -> Switched:
    """One act, whatever runs: a rollout is aborted; otherwise the split before the live one comes back."""
    rollout = running_rollout(endpoint)
    if rollout is None or revision is not None:
        return switching.roll_back(principal, endpoint, reason=reason, revision=revision, epoch=epoch)
    policy.require_endpoint(principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    abort(principal, rollout, reason=reason)
    now = Endpoint.objects.select_related("live_split", "model", "project").get(pk=endpoint.pk)
    return Switched(now, wait_until_taken(now.changed_sequence), changed=True)


def rehearse(principal: Principal, endpoint: Endpoint) -> Rehearsal:
    """Does all of a roll back but the moving: loads what it would go to, and has every process follow a change that
    changes nothing."""
    policy.require_endpoint(principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    rollout = running_rollout(endpoint)
    target = rollout.base_split if rollout else endpoint.live_split.parent if endpoint.live_split else None
    if target is None:
        raise Conflict(_("There is nothing to roll back to: no split was live before this one."), code="no_previous")
    wanted = wanted_of(target)
    check_ready(wanted)
    check_free(wanted)
    load_missing(endpoint.pk, [share.version for share in wanted])
    with transaction.atomic():
        sequence = bump_sequence()
        Endpoint.objects.filter(pk=endpoint.pk).update(changed_sequence=sequence)
    converged = wait_until_taken(sequence)
    found = {"at": timezone.now().isoformat(), **converged.as_json()}
    with transaction.atomic():
        Endpoint.objects.filter(pk=endpoint.pk).update(rehearsal=found)
        audit.record(principal, "endpoint.rehearsed", endpoint, project_id=endpoint.project_id, details=found)
    return Rehearsal(converged.seconds, converged.processes, converged.acknowledged)
