"""When the evidence against a candidate was enough, from what its callers saw: one look every tenth of a second.

Nothing here is the portal's: it is the same test on the callers' own log, without flushes, ticks and processes between.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from enter import ROOT

sys.path.insert(0, str(ROOT))

from inference.analysis.eprocess import Counts4
from inference.analysis.guardrails import ROLL_BACK_LN, Batch, Evidence
from inference.analysis.latency import exceedances, freeze
from inference.monitoring.histogram import Counts, bucket_of

LOOK_NS = 100_000_000


class Call(NamedTuple):
    """Nanoseconds of one clock; `good` means status 200."""

    begin: int
    end: int
    canary: bool
    good: bool


def calls_of(records: Iterable[list[int]], candidate: int) -> list[Call]:
    """In the order of their ends. What met no version at all says nothing about one."""
    calls = [Call(r[0], r[1], r[4] == candidate, r[2] == 200) for r in records if r[4]]
    return sorted(calls, key=lambda call: call.end)


def crossed_at(calls: list[Call], since: int) -> int | None:
    """When ln E of errors or of latency, over the calls from `since` on, reached what rolls back, or None."""
    evidence = Evidence(1.0)
    taus = freeze(_latency(call for call in calls if call.end < since and not call.canary))
    for until, look in _looks([call for call in calls if call.begin >= since]):
        for batch in _batches(look, taus):
            evidence.add(batch)
        if max(evidence.ln_e.values(), default=0.0) >= ROLL_BACK_LN:
            return until
    return None


def _looks(calls: list[Call]) -> Iterable[tuple[int, list[Call]]]:
    """(when, what had been answered since the look before)."""
    looks: dict[int, list[Call]] = {}
    for call in calls:
        looks.setdefault(call.end // LOOK_NS, []).append(call)
    return [((number + 1) * LOOK_NS, looks[number]) for number in sorted(looks)]


def _batches(look: list[Call], taus: Mapping[str, int] | None) -> Iterable[Batch]:
    canary, stable = ([call for call in look if call.canary is arm] for arm in (True, False))
    bad = (sum(not call.good for call in arm) for arm in (canary, stable))
    yield Batch(0, "errors", *Counts4(len(canary), len(stable), *bad))
    if taus is not None:
        for name, counts in exceedances(_latency(stable), _latency(canary), taus).items():
            yield Batch(0, f"latency.{name}", *counts)


def _latency(calls: Iterable[Call]) -> Counts:
    counts: Counts = {}
    for call in calls:
        if call.good:
            bucket = bucket_of((call.end - call.begin) / 1e9)
            counts[bucket] = counts.get(bucket, 0) + 1
    return counts
