"""The policy of fixed limits, once an interval: for those who insist. It has no bound on false roll backs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from inference.models import EvidenceWindow, Rollout, RolloutStage
from inference.monitoring.histogram import Counts, from_json, merge, quantile


class Check(NamedTuple):
    """`passed` is None before the first interval with answers is over. `n_failed` of this rollout so far."""

    passed: bool | None
    n_failed: int


def check(rollout: Rollout, stage: RolloutStage, now: datetime) -> Check:
    """Looks when an interval is over; keeps its count in the rollout's options, saved by the caller."""
    limits = rollout.options["thresholds"]
    state = rollout.options.setdefault("checks", {"passed": None, "n_failed": 0, "at": None, "stage": None})
    if state["stage"] != stage.index:
        state.update(passed=None, at=now.isoformat(), stage=stage.index)
    begin = datetime.fromisoformat(state["at"])
    if (now - begin).total_seconds() >= limits["seconds"]:
        passed = _passes(stage, begin, limits)
        if passed is not None:
            state["passed"], state["n_failed"] = passed, state["n_failed"] + (not passed)
        state["at"] = now.isoformat()
    return Check(state["passed"], state["n_failed"])


def _passes(stage: RolloutStage, begin: datetime, limits: dict[str, float]) -> bool | None:
    n = n_bad = 0
    counts: Counts = {}
    windows = EvidenceWindow.objects.filter(
        split=stage.split_id, variant="canary", ended_at__gt=begin - timedelta(seconds=1)
    )
    for answers, bad, latency in windows.values_list("n", "n_bad", "latency"):
        n, n_bad = n + answers, n_bad + bad
        merge(counts, from_json(latency))
    if not n:
        return None
    p99 = quantile(counts, 0.99)
    return 1 - n_bad / n >= limits["least_success"] and (p99 is None or p99 * 1000 <= limits["most_p99_ms"])
