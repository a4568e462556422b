"""What each step of a rollout makes live."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from inference.endpoints.moves import How, Inside, Moved, WantedShare, commit, commit_back
from inference.models import Endpoint, Rollout, RolloutStage, SplitActivation, TrafficSplit
from registry.access.principal import Principal

KIND = SplitActivation.Kind.ROLLOUT
# After a promotion the version before stays loaded for as long, so that going back needs no load.
STAYS_WARM = timedelta(hours=24)


def shares_of(rollout: Rollout, stage: RolloutStage) -> list[WantedShare]:
    shares = [
        WantedShare("stable", rollout.stable, 10_000 - stage.weight_bp),
        WantedShare("canary", rollout.candidate, stage.weight_bp),
    ]
    return [share for share in shares if share.weight_bp]


def give(principal: Principal, rollout: Rollout, stage: RolloutStage, reason: str, inside: Inside) -> Moved:
    """Makes a stage live; `inside` is to write the transition."""
    options = rollout.options
    shadowed = stage.kind == RolloutStage.Kind.SHADOW
    how = How(
        salt=rollout.salt,
        assignment=options["assignment"],
        rules=[] if shadowed else options["rules"],
        rollout=rollout,
        shadow_version=rollout.candidate if shadowed else None,
        mirror_bp=options["mirror_bp"] if shadowed else 0,
        parent=rollout.base_split,
    )
    return commit(
        principal, rollout.endpoint_id, shares_of(rollout, stage), KIND, reason, rollout.epoch, how, inside=inside
    )


def give_all(principal: Principal, rollout: Rollout, reason: str, inside: Inside) -> Moved:
    """The candidate becomes stable. Rolling back leads to what was live before the rollout."""

    def written(endpoint: Endpoint, split: TrafficSplit) -> None:
        warm = {"warm_version": rollout.stable, "warm_until": timezone.now() + STAYS_WARM}
        Endpoint.objects.filter(pk=endpoint.pk).update(**warm)
        inside(endpoint, split)

    wanted = [WantedShare("stable", rollout.candidate, 10_000)]
    how = How(parent=rollout.base_split)
    return commit(principal, rollout.endpoint_id, wanted, KIND, reason, rollout.epoch, how, inside=written)


def take_back(principal: Principal, rollout: Rollout, reason: str, inside: Inside) -> Moved:
    kind = SplitActivation.Kind.ROLL_BACK
    return commit_back(principal, rollout.endpoint_id, rollout.base_split, kind, reason, rollout.epoch, inside=inside)
