"""What the serving processes counted becomes lines of the ledger.

A batch takes every window that has arrived and was not taken yet. A process writes both arms of a flush in one
transaction, so a late one is late for both; and as batches multiply, its order does not matter. Counts of different
splits, that is of different weights, never share a line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from inference.analysis import latency
from inference.analysis.eprocess import Counts4
from inference.models import BadUnit, EvidenceBatch, EvidenceWindow, MetricWindow, Rollout, RolloutStage
from inference.monitoring.histogram import Counts, from_json, merge
from inference.outcomes import evidence as outcomes

CANARY, STABLE, SHADOW = "canary", "stable", "shadow"
MOST_WINDOWS = 5_000


@dataclass
class Sums:
    """Of one stage, by variant. `new_bad` are keys whose first bad answer came with this batch."""

    drawn: dict[str, list[int]] = field(default_factory=lambda: {CANARY: [0, 0], STABLE: [0, 0]})
    keyed: dict[str, list[int]] = field(default_factory=lambda: {CANARY: [0, 0], STABLE: [0, 0]})
    new_bad: dict[str, int] = field(default_factory=lambda: {CANARY: 0, STABLE: 0})
    latency: dict[str, Counts] = field(default_factory=lambda: {CANARY: {}, STABLE: {}})
    n_pairs: int = 0
    n_disagreed: int = 0


def take(
    rollout: Rollout, stages: list[RolloutStage], now: datetime
) -> tuple[list[EvidenceBatch], list[EvidenceWindow]]:
    """The next batch, written to the ledger; no lines where nothing is new. In the transaction that holds the
    rollout's row."""
    windows = list(
        EvidenceWindow.objects.filter(split__rollout=rollout, taken=None)
        .select_for_update()
        .order_by("pk")[:MOST_WINDOWS]
    )
    seq = rollout.seq + 1
    by_split = {stage.split_id: stage for stage in stages}
    sums: dict[int, Sums] = defaultdict(Sums)
    for window in windows:
        stage = by_split.get(window.split_id)
        if stage is not None:
            _add(rollout, sums[stage.index], window)
    rows = [row for stage in stages if stage.index in sums for row in _rows(stage, sums[stage.index])]
    judged = outcomes.take(rollout, seq)
    if judged is not None:
        rows.append((rollout.position, "outcomes", judged))
    EvidenceWindow.objects.filter(pk__in=[window.pk for window in windows]).update(taken=seq)
    batches = [
        EvidenceBatch(rollout=rollout, seq=seq, stage=stage, guardrail=name, at=now, **counts._asdict())
        for stage, name, counts in rows
    ]
    return EvidenceBatch.objects.bulk_create(batches), windows


def _add(rollout: Rollout, sums: Sums, window: EvidenceWindow) -> None:
    if window.variant == SHADOW:
        sums.n_pairs += window.n
        failed = window.details.get("errors", 0) + window.details.get("missing", 0)
        sums.n_disagreed += failed if rollout.options["expects_difference"] else window.n_bad
        return
    if window.variant not in (CANARY, STABLE):
        return
    side = (sums.keyed if window.is_keyed else sums.drawn)[window.variant]
    side[0] += window.n
    side[1] += window.n_bad
    if window.is_keyed:
        sums.new_bad[window.variant] += _first_times(rollout, (unit for unit, _n, n_bad, _s in window.units if n_bad))
    else:
        merge(sums.latency[window.variant], from_json(window.latency))


def _first_times(rollout: Rollout, units: Iterable[int]) -> int:
    """How many of these keys had no bad answer in this rollout before; they have from now on."""
    asked = set(units)
    known = set(BadUnit.objects.filter(rollout=rollout, unit__in=asked).values_list("unit", flat=True))
    BadUnit.objects.bulk_create((BadUnit(rollout=rollout, unit=unit) for unit in asked - known), ignore_conflicts=True)
    return len(asked - known)


def _rows(stage: RolloutStage, sums: Sums) -> Iterable[tuple[int, str, Counts4]]:
    """Requests that were drawn count as they are; of those with a key only the key's first bad answer does, beside the
    weights of the arms."""
    (n_c, k_c), (n_s, k_s) = sums.drawn[CANARY], sums.drawn[STABLE]
    if n_c or n_s:
        yield stage.index, "errors", Counts4(n_c, n_s, k_c, k_s)
    (n_c, k_c), (n_s, k_s) = sums.keyed[CANARY], sums.keyed[STABLE]
    if n_c or n_s:
        weights = stage.weight_bp, 10_000 - stage.weight_bp
        yield stage.index, "errors.keyed", Counts4(*weights, sums.new_bad[CANARY], sums.new_bad[STABLE])
        yield stage.index, "errors.requests", Counts4(n_c, n_s, k_c, k_s)
    if stage.taus:
        for name, counts in latency.exceedances(sums.latency[STABLE], sums.latency[CANARY], stage.taus).items():
            if counts.n_c or counts.n_s:
                yield stage.index, f"latency.{name}", counts
    if sums.n_pairs:
        yield stage.index, "agreement", Counts4(sums.n_pairs, 0, sums.n_disagreed, 0)


def freeze_taus(rollout: Rollout, stage: RolloutStage, since: datetime) -> None:
    """Stable's latencies as they are before the batch that first uses them; nothing while too few are known."""
    if stage.taus is not None or stage.kind == RolloutStage.Kind.SHADOW:
        return
    counts: Counts = {}
    windows = MetricWindow.objects.filter(
        endpoint=rollout.endpoint_id,
        version=rollout.stable_id,
        resolution=MetricWindow.Resolution.FLUSH,
        ended_at__gt=since,
    )
    for row in windows.order_by("-ended_at").values_list("latency", flat=True).iterator():
        merge(counts, from_json(row))
    stage.taus = latency.freeze(counts)
    if stage.taus is not None:
        RolloutStage.objects.filter(pk=stage.pk).update(taus=stage.taus)
