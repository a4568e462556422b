"""Moving traffic by hand: promote, split, roll back. How the pointer moves stands in `moves.py`.

While a rollout or an experiment runs, the traffic is its own: it has to be ended first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from inference.endpoints.contract import check_contract
from inference.endpoints.moves import (
    How,
    Switched,
    WantedShare,
    check_epoch,
    check_free,
    check_ready,
    move,
    move_back,
    wanted_of,
)
from inference.models import Endpoint, Experiment, Rollout, SplitActivation, TrafficSplit
from inference.models.rollouts import ENDED
from inference.routing.assignment import check_assignment, check_rules
from inference.routing.convergence import wait_until_taken
from inference.routing.split import Share, check_shares
from portal.lib.errors import Conflict, InvalidInput
from portal.lib.texts import check_reason
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion

__all__ = ["STABLE", "Switched", "WantedShare", "check_idle", "check_reason", "promote", "roll_back", "set_split"]
STABLE = "stable"


def promote(
    principal: Principal,
    endpoint: Endpoint,
    version: ModelVersion,
    *,
    reason: str,
    epoch: int | None = None,
    force: bool = False,
) -> Switched:
    """All traffic to one version at once.

    Without `force` it has to keep what callers know (`contract.py`): `signature_breaking`, `golden_mismatch`.
    """
    wanted = [WantedShare(STABLE, version, 10_000)]
    return _apply(principal, endpoint, wanted, SplitActivation.Kind.PROMOTE, reason, epoch, How(), force)


def set_split(
    principal: Principal,
    endpoint: Endpoint,
    wanted: Sequence[WantedShare],
    *,
    reason: str,
    epoch: int | None = None,
    assignment: Any = None,
    rules: Any = None,
    force: bool = False,
) -> Switched:
    """Raises InvalidInput unless the weights are basis points of distinct variants that sum to 10 000.

    Without `force` the versions that are new here have to keep what callers know, as with `promote`. `assignment` and
    `rules` say what a caller's key is, and who goes where whatever the weights (`docs/assignment.md`).
    """
    check_shares([Share(share.variant, share.weight_bp) for share in wanted])
    variants = tuple(share.variant for share in wanted)
    how = How(assignment=check_assignment(assignment or {}), rules=check_rules(rules or [], variants))
    return _apply(principal, endpoint, wanted, SplitActivation.Kind.SPLIT, reason, epoch, how, force)


def roll_back(
    principal: Principal, endpoint: Endpoint, *, reason: str, revision: int | None = None, epoch: int | None = None
) -> Switched:
    """Points back to the split before the live one, or to any earlier revision. History only grows.

    A rollout or experiment that runs is not asked here: see `inference/rollouts/services.py: roll_back`.
    """
    policy.require_endpoint(principal, "endpoint.deploy", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    expected = endpoint.epoch if epoch is None else epoch
    target = _target(endpoint, revision)
    return move_back(
        principal,
        endpoint.pk,
        target,
        SplitActivation.Kind.ROLL_BACK,
        reason,
        expected_epoch=expected,
        before=check_idle,
    )


def _apply(
    principal: Principal,
    endpoint: Endpoint,
    wanted: Sequence[WantedShare],
    kind: SplitActivation.Kind,
    reason: str,
    epoch: int | None,
    how: How,
    force: bool,
) -> Switched:
    policy.require_endpoint(principal, "endpoint.deploy", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    expected = endpoint.epoch if epoch is None else epoch
    check_epoch(endpoint, expected)
    check_idle(endpoint)
    _check_versions(endpoint, wanted)
    if _is_live(endpoint, wanted, how):
        return Switched(endpoint, wait_until_taken(endpoint.changed_sequence), changed=False)
    live = live_shares(endpoint)
    entering = wanted if kind == SplitActivation.Kind.PROMOTE else new_to(live, wanted)
    versions = list({share.version.pk: share.version for share in entering}.values())
    notes = check_contract(largest(live), versions, "promotion", force=force)
    how = replace(how, notes=notes)
    return move(principal, endpoint.pk, wanted, kind, reason, expected_epoch=expected, how=how, before=check_idle)


def live_shares(endpoint: Endpoint) -> list[WantedShare]:
    """What callers are answered by now."""
    live = wanted_of(endpoint.live_split) if endpoint.live_split else []
    return [share for share in live if share.weight_bp]


def largest(shares: Sequence[WantedShare]) -> ModelVersion | None:
    """The version that most callers know; of equals the first."""
    return max(shares, key=lambda share: share.weight_bp).version if shares else None


def new_to(live: Sequence[WantedShare], wanted: Sequence[WantedShare]) -> list[WantedShare]:
    """Also those without weight: a rule may send callers to them."""
    known = {share.version.pk for share in live}
    return [share for share in wanted if share.version.pk not in known]


def check_idle(endpoint: Endpoint) -> None:
    """Raises Conflict while a rollout or an experiment moves this endpoint's traffic."""
    rollout = Rollout.objects.filter(endpoint=endpoint).exclude(state__in=ENDED).exclude(state="draft").first()
    if rollout is not None:
        raise Conflict(
            _("Rollout %(n)s moves this traffic: roll it back or let it end first.") % {"n": rollout.pk},
            code="rollout_running",
            details={"rollout": rollout.pk, "state": rollout.state},
        )
    experiment = Experiment.objects.filter(endpoint=endpoint, state=Experiment.State.RUNNING).first()
    if experiment is not None:
        raise Conflict(
            _("Experiment %(n)s needs this traffic as it is: conclude it first.") % {"n": experiment.pk},
            code="experiment_running",
            details={"experiment": experiment.pk},
        )


def _check_versions(endpoint: Endpoint, wanted: Sequence[WantedShare]) -> None:
    for version in (share.version for share in wanted):
        if version.model_id != endpoint.model_id:
            raise InvalidInput(
                _("“%(version)s” is no version of this endpoint's model.") % {"version": version},
                code="foreign_version",
            )
    check_ready(wanted)
    check_free(wanted)


def _is_live(endpoint: Endpoint, wanted: Sequence[WantedShare], how: How) -> bool:
    live = endpoint.live_split
    if live is None or (live.assignment, live.rules) != (how.assignment, how.rules) or live.salt != how.salt:
        return False
    shares = live.shares.values_list("variant__key", "variant__version_id", "weight_bp")
    return set(shares) == {(share.variant, share.version.pk, share.weight_bp) for share in wanted}


def _target(endpoint: Endpoint, revision: int | None) -> TrafficSplit:
    live = endpoint.live_split
    if revision is None:
        if live is None or live.parent is None:
            raise Conflict(
                _("There is nothing to roll back to: no split was live before this one."), code="no_previous"
            )
        return live.parent
    target = endpoint.splits.filter(revision=revision).first() if 0 < revision < 2**31 else None
    if target is None:
        raise InvalidInput(
            _("This endpoint has no revision %(n)s.") % {"n": revision},
            code="unknown_revision",
            details={"field": "revision"},
        )
    if target.rollout_id is not None or target.experiment_id is not None:
        raise Conflict(
            _("Revision %(n)s was a step of a rollout or an experiment: start a new one instead.") % {"n": revision},
            code="revision_not_restorable",
        )
    if live is not None and target.pk == live.pk:
        raise Conflict(_("Revision %(n)s is live already.") % {"n": revision}, code="already_live")
    return target
