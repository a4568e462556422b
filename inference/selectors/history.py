"""What was live when: for each endpoint of a model, which version had which share from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from inference.models import Endpoint, SplitActivation
from inference.selectors.endpoints import endpoints_for
from registry.access.principal import Principal
from registry.models import RegisteredModel

MOST_ACTIVATIONS = 200


class Share(NamedTuple):
    key: str
    version: int
    weight_bp: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time during which one split was live; `until` is None for the one that is."""

    since: datetime
    until: datetime | None
    shares: tuple[Share, ...]
    kind: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Served:
    """The stretches of an endpoint, newest first; `is_cut` where older ones were left out."""

    endpoint: Endpoint
    stretches: list[Stretch]
    is_cut: bool


def served(principal: Principal, model: RegisteredModel) -> list[Served]:
    """The model's endpoints that the caller may see, by slug. A deleted version keeps its place in the history."""
    return [_served(endpoint) for endpoint in endpoints_for(principal).filter(model=model).order_by("slug")]


def _served(endpoint: Endpoint) -> Served:
    rows = SplitActivation.objects.filter(endpoint=endpoint).order_by("-epoch")
    rows = rows.prefetch_related("split__shares__variant__version")
    found = list(rows[: MOST_ACTIVATIONS + 1])
    return Served(endpoint, list(_stretches(found[:MOST_ACTIVATIONS])), len(found) > MOST_ACTIVATIONS)


def _stretches(newest_first: list[SplitActivation]) -> Iterable[Stretch]:
    until: datetime | None = None
    for activation in newest_first:
        shares = tuple(
            Share(share.variant.key, share.variant.version.number, share.weight_bp)
            for share in activation.split.shares.all()
            if share.weight_bp
        )
        kind = str(activation.get_kind_display())
        yield Stretch(activation.at, until, shares, kind, activation.actor_name, activation.reason)
        until = activation.at


def span(all_served: Iterable[Served], now: datetime | None = None) -> tuple[datetime, datetime]:
    """From the first move that is known to now."""
    now = now or timezone.now()
    return min((each.stretches[-1].since for each in all_served if each.stretches), default=now), now
