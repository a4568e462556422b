"""Every way to move an endpoint's traffic: promote, split, roll back.

All take the same steps: require the right, load the versions everywhere, then in one transaction compare-and-set the
epoch, move the pointer and write the record, and answer when the serving processes have taken it. The portal's own
move, the fall back of `inference/quarantine`, shares the last two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.warming import load_everywhere
from inference.models import Endpoint, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.routing.convergence import Converged, bump_sequence, wait_until_taken
from inference.routing.split import Share, as_json, check_shares, from_json, move_table, new_table
from inference.selectors.quarantines import quarantined_among
from portal.lib.errors import Conflict, DeadlineExceeded, InvalidInput
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, VersionStatus
from registry.services import audit

STABLE = "stable"
MAX_REASON = 2_000
AUDITED_AS = {
    SplitActivation.Kind.PROMOTE: "endpoint.promoted",
    SplitActivation.Kind.SPLIT: "endpoint.split_changed",
    SplitActivation.Kind.ROLL_BACK: "endpoint.rolled_back",
    SplitActivation.Kind.FALL_BACK: "endpoint.fell_back",
}


class WantedShare(NamedTuple):
    variant: str
    version: ModelVersion
    weight_bp: int


@dataclass(frozen=True)
class Switched:
    """`changed` is False when what was asked for was live already: then nothing was written."""

    endpoint: Endpoint
    converged: Converged
    changed: bool


def promote(
    principal: Principal, endpoint: Endpoint, version: ModelVersion, *, reason: str, epoch: int | None = None
) -> Switched:
    """All traffic to one version at once."""
    wanted = [WantedShare(STABLE, version, 10_000)]
    return _apply(principal, endpoint, wanted, SplitActivation.Kind.PROMOTE, reason, epoch)


def set_split(
    principal: Principal, endpoint: Endpoint, wanted: Sequence[WantedShare], *, reason: str, epoch: int | None = None
) -> Switched:
    """Raises InvalidInput unless the weights are basis points of distinct variants that sum to 10 000."""
    check_shares([Share(share.variant, share.weight_bp) for share in wanted])
    return _apply(principal, endpoint, wanted, SplitActivation.Kind.SPLIT, reason, epoch)


def roll_back(
    principal: Principal, endpoint: Endpoint, *, reason: str, revision: int | None = None, epoch: int | None = None
) -> Switched:
    """Points back to the split before the live one, or to any earlier revision. History only grows."""
    policy.require_endpoint(principal, "endpoint.deploy", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    expected = endpoint.epoch if epoch is None else epoch
    target = _target(endpoint, revision)
    wanted = [
        WantedShare(share.variant.key, share.variant.version, share.weight_bp)
        for share in target.shares.select_related("variant__version__model")
    ]
    _check_versions(endpoint, wanted)
    load_everywhere([share.version for share in wanted])
    with transaction.atomic():
        sequence, locked = _lock(endpoint, expected)
        _check_free(wanted)
        activate(principal, locked, target, SplitActivation.Kind.ROLL_BACK, reason, sequence)
    return _answer(locked, sequence)


def _apply(
    principal: Principal,
    endpoint: Endpoint,
    wanted: Sequence[WantedShare],
    kind: SplitActivation.Kind,
    reason: str,
    epoch: int | None,
) -> Switched:
    policy.require_endpoint(principal, "endpoint.deploy", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    expected = endpoint.epoch if epoch is None else epoch
    _check_epoch(endpoint, expected)
    _check_versions(endpoint, wanted)
    if _is_live(endpoint, wanted):
        return Switched(endpoint, wait_until_taken(endpoint.changed_sequence), changed=False)
    load_everywhere([share.version for share in wanted])
    with transaction.atomic():
        sequence, locked = _lock(endpoint, expected)
        _check_free(wanted)
        split = _new_split(principal, locked, wanted, reason)
        activate(principal, locked, split, kind, reason, sequence)
    return _answer(locked, sequence)


def check_reason(reason: str) -> None:
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON or "\x00" in reason:
        raise InvalidInput(
            _("Give a reason of 1 to %(n)s characters: it goes to the record.") % {"n": MAX_REASON},
            code="reason_required",
            details={"field": "reason"},
        )


def _check_versions(endpoint: Endpoint, wanted: Sequence[WantedShare]) -> None:
    for version in (share.version for share in wanted):
        if version.model_id != endpoint.model_id:
            raise InvalidInput(
                _("“%(version)s” is no version of this endpoint's model.") % {"version": version},
                code="foreign_version",
            )
        if version.status != VersionStatus.READY:
            raise Conflict(
                _("Version %(number)s is %(status)s: only a ready version can take traffic.")
                % {"number": version.number, "status": version.get_status_display().lower()},
                code="version_not_ready",
                details={"version": version.number, "status": version.status},
            )
    _check_free(wanted)


def _check_free(wanted: Sequence[WantedShare]) -> None:
    """Asked once more under the sequence's lock, which whoever locks a version away takes too."""
    versions = {share.version.pk: share.version.number for share in wanted if share.weight_bp}
    for version_id in quarantined_among(versions):
        raise Conflict(
            _("Version %(number)s is quarantined, as it killed its process: release it first.")
            % {"number": versions[version_id]},
            code="version_quarantined",
            details={"version": versions[version_id]},
        )


def _is_live(endpoint: Endpoint, wanted: Sequence[WantedShare]) -> bool:
    if endpoint.live_split is None:
        return False
    live = endpoint.live_split.shares.values_list("variant__key", "variant__version_id", "weight_bp")
    return set(live) == {(share.variant, share.version.pk, share.weight_bp) for share in wanted}


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
    if live is not None and target.pk == live.pk:
        raise Conflict(_("Revision %(n)s is live already.") % {"n": revision}, code="already_live")
    return target


def _check_epoch(endpoint: Endpoint, expected: int) -> None:
    if endpoint.epoch != expected:
        raise Conflict(
            _("Somebody else changed the traffic meanwhile: it is at epoch %(now)s, not %(then)s. Look and try again.")
            % {"now": endpoint.epoch, "then": expected},
            code="epoch_moved",
            details={"epoch": endpoint.epoch, "live_split": live_split_json(endpoint)},
        )


def _lock(endpoint: Endpoint, expected: int) -> tuple[int, Endpoint]:
    """Inside the transaction: the change's sequence number and the endpoint's row, locked and compared."""
    sequence = bump_sequence()
    locked = Endpoint.objects.select_for_update(of=("self",)).select_related("live_split", "model").get(pk=endpoint.pk)
    _check_epoch(locked, expected)
    return sequence, locked


def _new_split(principal: Principal, endpoint: Endpoint, wanted: Sequence[WantedShare], reason: str) -> TrafficSplit:
    shares = [Share(share.variant, share.weight_bp) for share in wanted]
    live = endpoint.live_split
    endpoint.last_revision += 1
    split = TrafficSplit.objects.create(
        endpoint=endpoint,
        revision=endpoint.last_revision,
        parent=live,
        table=as_json(move_table(from_json(live.table), shares) if live else new_table(shares)),
        reason=reason,
        created_by_id=principal.user_id,
    )
    for share in wanted:
        variant, _made = Variant.objects.get_or_create(endpoint=endpoint, key=share.variant, version=share.version)
        TrafficShare.objects.create(split=split, variant=variant, weight_bp=share.weight_bp)
    return split


def activate(
    principal: Principal,
    endpoint: Endpoint,
    split: TrafficSplit,
    kind: SplitActivation.Kind,
    reason: str,
    sequence: int,
) -> SplitActivation:
    """Moves the pointer of a locked endpoint, in the transaction that bumped to `sequence`, and writes the record."""
    before = live_split_json(endpoint)
    endpoint.live_split, endpoint.epoch, endpoint.changed_sequence = split, endpoint.epoch + 1, sequence
    endpoint.save(update_fields=["live_split", "epoch", "changed_sequence", "last_revision"])
    activation = SplitActivation.objects.create(
        endpoint=endpoint,
        epoch=endpoint.epoch,
        split=split,
        kind=kind,
        reason=reason,
        actor_id=principal.user_id,
        actor_name=principal.name,
        at=timezone.now(),
    )
    details = {"epoch": endpoint.epoch, "before": before, "after": live_split_json(endpoint)}
    audit.record(principal, AUDITED_AS[kind], endpoint, project_id=endpoint.project_id, reason=reason, details=details)
    return activation


def _answer(endpoint: Endpoint, sequence: int) -> Switched:
    converged = settle(SplitActivation.objects.filter(endpoint=endpoint, epoch=endpoint.epoch), sequence)
    if not converged.complete:
        raise DeadlineExceeded(
            _("The change is committed, but only %(n)s of %(all)s processes have taken it after %(s).0f s.")
            % {"n": converged.acknowledged, "all": converged.processes, "s": converged.seconds},
            code="not_converged",
            details={"epoch": endpoint.epoch, "converged": converged.as_json()},
        )
    return Switched(endpoint, converged, changed=True)


def settle(activations: QuerySet[SplitActivation], sequence: int, *, seconds: float | None = None) -> Converged:
    """Waits for the serving processes, as `wait_until_taken`, and writes down how they followed."""
    converged = wait_until_taken(sequence, seconds=seconds)
    activations.update(
        n_processes=converged.processes, n_acknowledged=converged.acknowledged, seconds=converged.seconds
    )
    return converged


def split_json(split: TrafficSplit) -> dict[str, Any]:
    shares = split.shares.select_related("variant__version").order_by("id")
    return {
        "revision": split.revision,
        "shares": [
            {"variant": share.variant.key, "version": share.variant.version.number, "weight_bp": share.weight_bp}
            for share in shares
        ],
    }


def live_split_json(endpoint: Endpoint) -> dict[str, Any] | None:
    return split_json(endpoint.live_split) if endpoint.live_split else None
