"""Experiments that run, and the windows that serving processes would have written for them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from inference.experiments.starting import start
from inference.models import Endpoint, EvidenceWindow, Experiment
from registry.access.principal import SYSTEM, Principal
from tests import factories

PROCESS = uuid.UUID(int=5)
_numbers = itertools.count(1)
Unit = list[float]


def wish(**changes: Any) -> dict[str, Any]:
    """An even split between versions 1 and 2, judged by failed answers."""
    return {
        "name": "fewer failures",
        "hypothesis": "version 2 fails less",
        "metric": "error",
        "direction": "decrease",
        "min_effect": 0.02,
        "planned_size": 2_000,
        "arms": arms(5_000, 5_000),
        **changes,
    }


def arms(*weights: int) -> list[dict[str, Any]]:
    """`control`, `b`, `c` ... with versions 1, 2, 3 ..."""
    return [
        {"key": "control" if position == 0 else "bcdefg"[position - 1], "version": position + 1, "weight_bp": weight}
        for position, weight in enumerate(weights)
    ]


def endpoint(slug: str = "shop", n_versions: int = 3) -> Endpoint:
    return factories.make_endpoint(slug, n_versions=n_versions)


def running(at: Endpoint | None = None, principal: Principal = SYSTEM, **changes: Any) -> Experiment:
    return start(principal, at or endpoint(), wish(**changes), reason="to know").experiment


def window(experiment: Experiment, variant: str, units: Iterable[Unit], *, n_drawn: int = 0, **facts: Any) -> None:
    """One row of evidence: `units` as `[unit, answers, bad ones, seconds]`, or `n_drawn` answers without a key."""
    now, listed = timezone.now(), [list(unit) for unit in units]
    EvidenceWindow.objects.create(
        process=PROCESS,
        seq=next(_numbers),
        split=experiment.splits.get(),
        variant=variant,
        is_keyed=not n_drawn,
        started_at=now,
        ended_at=now,
        n=n_drawn or sum(int(unit[1]) for unit in listed),
        n_bad=sum(int(unit[2]) for unit in listed),
        units=listed,
        **facts,
    )


def keys(n: int, n_failed: int = 0, *, first: int = 1, seconds: float = 0.01) -> list[Unit]:
    """`n` keys with one answer each, of which the first `n_failed` met a failure."""
    return [[first + number, 1, int(number < n_failed), seconds] for number in range(n)]


def counted(experiment: Experiment, **variants: tuple[int, int]) -> Experiment:
    """As many keys and failed ones for each variant, looked at."""
    from inference.experiments.deciding import look

    for position, (variant, (n, n_failed)) in enumerate(variants.items()):
        window(experiment, variant, keys(n, n_failed, first=position * 10_000_000))
    looked = look(experiment.pk)
    assert looked is not None
    return Experiment.objects.get(pk=experiment.pk)
