"""The one way in which an endpoint's live pointer moves, whoever moves it.

In one transaction the epoch is compared and set, the pointer moved and the record written; then the serving processes
are waited for. Whoever has something to write in that same transaction, such as the state of a rollout, hands it in as
`inside`; whoever has something to ask under the lock, as `before`. Rows are locked in this order everywhere: the
routing sequence, the endpoint, then what the callback locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.warming import load_everywhere
from inference.models import Endpoint, Experiment, Rollout, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.routing.convergence import Converged, bump_sequence, wait_until_taken
from inference.routing.split import Share, as_json, from_json, move_table, new_table
from inference.selectors.quarantines import quarantined_among
from portal.lib.errors import Conflict, DeadlineExceeded
from registry.access.principal import Principal
from registry.models import ModelVersion, VersionStatus
from registry.notifications.services import notify
from registry.services import audit

AUDITED_AS = {
    SplitActivation.Kind.PROMOTE: "endpoint.promoted",
    SplitActivation.Kind.SPLIT: "endpoint.split_changed",
    SplitActivation.Kind.ROLL_BACK: "endpoint.rolled_back",
    SplitActivation.Kind.FALL_BACK: "endpoint.fell_back",
    SplitActivation.Kind.ROLLOUT: "endpoint.rollout_moved",
    SplitActivation.Kind.EXPERIMENT: "endpoint.experiment_moved",
}

# Steps of a rollout tell of themselves.
TOLD_AS = {
    SplitActivation.Kind.PROMOTE: "endpoint.promoted",
    SplitActivation.Kind.ROLL_BACK: "endpoint.rolled_back",
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


@dataclass(frozen=True)
class How:
    """What a split says beside its shares. `parent` is where rolling back goes; by default what was live before.

    `notes` go to the record of the move and nowhere else.
    """

    salt: str = ""
    assignment: dict[str, Any] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    rollout: Rollout | None = None
    experiment: Experiment | None = None
    shadow_version: ModelVersion | None = None
    mirror_bp: int = 0
    parent: TrafficSplit | None = None
    notes: dict[str, Any] = field(default_factory=dict)


PLAIN = How()
NOTHING: Mapping[str, Any] = {}
Before = Callable[[Endpoint], None]
Inside = Callable[[Endpoint, TrafficSplit], None]


class Moved(NamedTuple):
    """Committed, and not waited for yet."""

    endpoint: Endpoint
    sequence: int


def move(
    principal: Principal,
    endpoint_id: int,
    wanted: Sequence[WantedShare],
    kind: SplitActivation.Kind,
    reason: str,
    *,
    expected_epoch: int,
    how: How = PLAIN,
    before: Before | None = None,
    inside: Inside | None = None,
) -> Switched:
    """To a new split. Raises Conflict where the epoch has moved on, and then nothing was written."""
    load_missing(endpoint_id, [share.version for share in wanted])
    return answer(commit(principal, endpoint_id, wanted, kind, reason, expected_epoch, how, before, inside))


def commit(
    principal: Principal,
    endpoint_id: int,
    wanted: Sequence[WantedShare],
    kind: SplitActivation.Kind,
    reason: str,
    expected_epoch: int,
    how: How = PLAIN,
    before: Before | None = None,
    inside: Inside | None = None,
) -> Moved:
    """The transaction of `move`. The versions should be loaded by then."""
    with transaction.atomic():
        sequence, locked = lock(endpoint_id, expected_epoch)
        if before is not None:
            before(locked)
        check_free(wanted)
        split = _new_split(principal, locked, wanted, reason, how)
        activate(principal, locked, split, kind, reason, sequence, how.notes)
        if inside is not None:
            inside(locked, split)
    return Moved(locked, sequence)


def move_back(
    principal: Principal,
    endpoint_id: int,
    split: TrafficSplit,
    kind: SplitActivation.Kind,
    reason: str,
    *,
    expected_epoch: int,
    before: Before | None = None,
    inside: Inside | None = None,
) -> Switched:
    """To a split that was live once."""
    wanted = wanted_of(split)
    check_ready(wanted)
    load_missing(endpoint_id, [share.version for share in wanted])
    return answer(commit_back(principal, endpoint_id, split, kind, reason, expected_epoch, before, inside))


def commit_back(
    principal: Principal,
    endpoint_id: int,
    split: TrafficSplit,
    kind: SplitActivation.Kind,
    reason: str,
    expected_epoch: int,
    before: Before | None = None,
    inside: Inside | None = None,
) -> Moved:
    with transaction.atomic():
        sequence, locked = lock(endpoint_id, expected_epoch)
        if before is not None:
            before(locked)
        check_free(wanted_of(split))
        activate(principal, locked, split, kind, reason, sequence)
        if inside is not None:
            inside(locked, split)
    return Moved(locked, sequence)


def wanted_of(split: TrafficSplit) -> list[WantedShare]:
    shares = split.shares.select_related("variant__version__model").order_by("id")
    return [WantedShare(share.variant.key, share.variant.version, share.weight_bp) for share in shares]


def load_missing(endpoint_id: int, versions: Iterable[ModelVersion]) -> None:
    """Has every process load what the live split does not have loaded there already."""
    shares = TrafficShare.objects.filter(split__in=Endpoint.objects.filter(pk=endpoint_id).values("live_split"))
    live = set(shares.values_list("variant__version_id", flat=True))
    missing = [version for version in versions if version.pk not in live]
    if missing:
        load_everywhere(missing)


def check_ready(wanted: Iterable[WantedShare]) -> None:
    for version in (share.version for share in wanted):
        if version.status != VersionStatus.READY:
            raise Conflict(
                _("Version %(number)s is %(status)s: only a ready version can take traffic.")
                % {"number": version.number, "status": version.get_status_display().lower()},
                code="version_not_ready",
                details={"version": version.number, "status": version.status},
            )


def check_free(wanted: Sequence[WantedShare]) -> None:
    """Asked once more under the sequence's lock, which whoever locks a version away takes too."""
    versions = {share.version.pk: share.version.number for share in wanted if share.weight_bp}
    for version_id in quarantined_among(versions):
        raise Conflict(
            _("Version %(number)s is quarantined, as it killed its process: release it first.")
            % {"number": versions[version_id]},
            code="version_quarantined",
            details={"version": versions[version_id]},
        )


def check_epoch(endpoint: Endpoint, expected: int) -> None:
    if endpoint.epoch != expected:
        raise Conflict(
            _("Somebody else changed the traffic meanwhile: it is at epoch %(now)s, not %(then)s. Look and try again.")
            % {"now": endpoint.epoch, "then": expected},
            code="epoch_moved",
            details={"epoch": endpoint.epoch, "live_split": live_split_json(endpoint)},
        )


def lock(endpoint_id: int, expected: int) -> tuple[int, Endpoint]:
    """Inside the transaction: the change's sequence number and the endpoint's row, locked and compared."""
    sequence = bump_sequence()
    locked = Endpoint.objects.select_for_update(of=("self",)).select_related("live_split", "model").get(pk=endpoint_id)
    check_epoch(locked, expected)
    return sequence, locked


def _new_split(
    principal: Principal, endpoint: Endpoint, wanted: Sequence[WantedShare], reason: str, how: How
) -> TrafficSplit:
    shares = [Share(share.variant, share.weight_bp) for share in wanted]
    live = endpoint.live_split
    endpoint.last_revision += 1
    split = TrafficSplit.objects.create(
        endpoint=endpoint,
        revision=endpoint.last_revision,
        parent=how.parent or live,
        table=as_json(_table(live, shares, how.salt)),
        salt=how.salt,
        assignment=how.assignment,
        rules=how.rules,
        rollout=how.rollout,
        experiment=how.experiment,
        shadow_version=how.shadow_version,
        mirror_bp=how.mirror_bp,
        reason=reason,
        created_by_id=principal.user_id,
    )
    for share in wanted:
        variant, _made = Variant.objects.get_or_create(endpoint=endpoint, key=share.variant, version=share.version)
        TrafficShare.objects.create(split=split, variant=variant, weight_bp=share.weight_bp)
    return split


def _table(live: TrafficSplit | None, shares: list[Share], salt: str) -> Any:
    """Buckets mean something under one salt only: with another one there is nothing to keep in place."""
    if live is None or live.salt != salt:
        return new_table(shares)
    return move_table(from_json(live.table), shares)


def activate(
    principal: Principal,
    endpoint: Endpoint,
    split: TrafficSplit,
    kind: SplitActivation.Kind,
    reason: str,
    sequence: int,
    notes: Mapping[str, Any] = NOTHING,
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
    details = {"epoch": endpoint.epoch, "before": before, "after": live_split_json(endpoint), **notes}
    audit.record(principal, AUDITED_AS[kind], endpoint, project_id=endpoint.project_id, reason=reason, details=details)
    if kind in TOLD_AS:
        body = {"endpoint": endpoint.slug, "by": principal.name, "reason": reason, **details}
        notify(endpoint.project_id, TOLD_AS[kind], endpoint.slug, body)
    return activation


def answer(moved: Moved) -> Switched:
    """Raises DeadlineExceeded where not every process has taken it in time."""
    converged = settle_move(moved)
    if not converged.complete:
        raise DeadlineExceeded(
            _("The change is committed, but only %(n)s of %(all)s processes have taken it after %(s).0f s.")
            % {"n": converged.acknowledged, "all": converged.processes, "s": converged.seconds},
            code="not_converged",
            details={"epoch": moved.endpoint.epoch, "converged": converged.as_json()},
        )
    return Switched(moved.endpoint, converged, changed=True)


def settle_move(moved: Moved) -> Converged:
    activations = SplitActivation.objects.filter(endpoint=moved.endpoint, epoch=moved.endpoint.epoch)
    return settle(activations, moved.sequence)


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
