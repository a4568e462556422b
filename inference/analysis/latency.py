"""Is the candidate slower? Asked as a test of rates: how often is an answer slower than what stable used to be?

At the start of a stage the stable arm's p50, p90, p99 and p99.9 are frozen as edges of the latency histogram. From then
on a stable answer above that edge is an event, and so is a canary answer above the edge that lies ten percent higher.
Both lie on bucket edges, so the counts are exact. What was counted before the freeze must not be counted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log

from inference.analysis.eprocess import Counts4
from inference.monitoring.histogram import GAMMA

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
MIN_SAMPLES = 1000
TOLERATED = 0.10
# Rounded up: being ten percent slower is tolerated with certainty, and being 10.4 percent slower still is.
TOLERATED_BUCKETS = ceil(log(1 + TOLERATED) / log(GAMMA))


def freeze(counts: Mapping[int, int]) -> dict[str, int] | None:
    """The bucket that holds each quantile; None below a thousand samples, which is too few to know the p99.9."""
    total = sum(counts.values())
    if total < MIN_SAMPLES:
        return None
    return {name: _bucket_at(counts, int(q * (total - 1))) for name, q in QUANTILES.items()}


def _bucket_at(counts: Mapping[int, int], rank: int) -> int:
    """The bucket of the sample with this rank, counted from 0."""
    buckets = sorted(counts)
    seen = 0
    for bucket in buckets:
        seen += counts[bucket]
        if seen > rank:
            break
    return bucket


def exceedances(stable: Mapping[int, int], canary: Mapping[int, int], taus: Mapping[str, int]) -> dict[str, Counts4]:
    """Per quantile the answers of both arms and those of them above their limit."""
    n_c, n_s = sum(canary.values()), sum(stable.values())
    return {
        name: Counts4(n_c, n_s, _above(canary, tau + TOLERATED_BUCKETS), _above(stable, tau))
        for name, tau in taus.items()
    }


def _above(counts: Mapping[int, int], bucket: int) -> int:
    return sum(count for key, count in counts.items() if key > bucket)
