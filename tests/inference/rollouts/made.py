"""Counts that serving processes would have written, and looks of the controller."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from django.utils import timezone

from inference.models import EvidenceWindow, Rollout
from inference.rollouts import controller

QUICK = {
    "candidate": 2,
    "reason": "a test",
    "stages": [
        {"weight_bp": 1_000, "bake_seconds": 0, "n_min": 100, "delta": 0.02},
        {"weight_bp": 5_000, "bake_seconds": 0, "n_min": 100, "delta": 0.02},
    ],
    "holdback": {"seconds": 0, "n_min": 50},
}
_seqs = itertools.count(1)


def fresh_of(rollout: Rollout) -> Rollout:
    rollouts = Rollout.objects.select_related("endpoint__live_split", "stable", "candidate", "base_split")
    return rollouts.get(pk=rollout.pk)


def count(
    rollout: Rollout, canary: tuple[int, int] = (0, 0), stable: tuple[int, int] = (0, 0), **facts: Any
) -> EvidenceWindow:
    """Windows of one flush of the live split: (answers, bad ones) of each arm. Returns the canary's."""
    split = fresh_of(rollout).endpoint.live_split
    now = timezone.now()
    common = {"process": uuid.UUID(int=1), "seq": next(_seqs), "split": split, "started_at": now, "ended_at": now}
    EvidenceWindow.objects.create(**common, variant="stable", n=stable[0], n_bad=stable[1])
    return EvidenceWindow.objects.create(**common, variant="canary", n=canary[0], n_bad=canary[1], **facts)


def pairs(rollout: Rollout, n: int, n_bad: int, **details: int) -> None:
    now = timezone.now()
    EvidenceWindow.objects.create(
        process=uuid.UUID(int=1),
        seq=next(_seqs),
        split=fresh_of(rollout).endpoint.live_split,
        variant="shadow",
        started_at=now,
        ended_at=now,
        n=n,
        n_bad=n_bad,
        details=details,
    )


def tick(rollout: Rollout) -> Rollout:
    controller.tick()
    return fresh_of(rollout)
