"""Splits as the pages draw them: a list of arms, in the order of the split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import F, Prefetch

from inference.models import TrafficShare, TrafficSplit
from registry.models import ModelVersion


class Arm(NamedTuple):
    """One share of a split."""

    key: str
    version: int
    weight_bp: int


class Place(NamedTuple):
    """Where a version takes traffic."""

    slug: str
    key: str
    weight_bp: int


def with_shares(path: str) -> Prefetch:
    """Prefetches a split's shares with what `arms_of` reads; `path` leads to the shares."""
    return Prefetch(path, TrafficShare.objects.select_related("variant__version").order_by("id"))


def arms_of(split: TrafficSplit | None) -> list[Arm]:
    if split is None:
        return []
    shares = split.shares.all()
    return [Arm(share.variant.key, share.variant.version.number, share.weight_bp) for share in shares]


def arms_at(versions: Iterable[ModelVersion]) -> dict[int, list[Place]]:
    """For each version, the live endpoints that send it traffic."""
    shares = TrafficShare.objects.filter(
        variant__version__in=list(versions),
        variant__endpoint__deleted_at=None,
        weight_bp__gt=0,
        split__pk=F("variant__endpoint__live_split"),
    ).select_related("variant__endpoint")
    found: dict[int, list[Place]] = {}
    for share in shares.order_by("variant__endpoint__slug"):
        place = Place(share.variant.endpoint.slug, share.variant.key, share.weight_bp)
        found.setdefault(share.variant.version_id, []).append(place)
    return found


def same(one: Sequence[Arm], other: Sequence[Arm]) -> bool:
    return {arm for arm in one if arm.weight_bp} == {arm for arm in other if arm.weight_bp}
