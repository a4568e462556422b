"""Durations counted in logarithmic buckets: every quantile within one percent, and merging is addition.

Bucket i holds what is above GAMMA ** (i - 1) and up to GAMMA ** i seconds, so i = ceil(ln v / ln GAMMA). Its value is
the point from which both edges are equally far in relative terms: (GAMMA - 1) / (GAMMA + 1), less than one percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log

GAMMA = 1.02
SHORTEST, LONGEST = 1e-6, 3600.0
_PER_LOG = 1 / log(GAMMA)
LOWEST, HIGHEST = ceil(log(SHORTEST) * _PER_LOG), ceil(log(LONGEST) * _PER_LOG)

Counts = dict[int, int]


def bucket_of(seconds: float) -> int:
    """What lies outside of a microsecond to an hour counts as the nearest of the two."""
    if seconds <= SHORTEST:
        return LOWEST
    return ceil(log(seconds) * _PER_LOG) if seconds < LONGEST else HIGHEST


def value_of(bucket: int) -> float:
    """The seconds that stand for a bucket."""
    return 2 * GAMMA**bucket / (1 + GAMMA)


def edge_of(bucket: int) -> float:
    """The longest duration that the bucket holds, in seconds."""
    return GAMMA**bucket


def nearest_edge(seconds: float) -> int:
    """The bucket that ends closest to `seconds`: what lies up to its edge can be counted exactly."""
    return round(log(seconds) * _PER_LOG)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The q-quantile in seconds, that is the value of rank floor(q (n - 1)); None where nothing was counted."""
    rank = int(q * (sum(counts.values()) - 1))
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen > rank:
            return value_of(bucket)
    return None


def count_up_to(counts: Mapping[int, int], bucket: int) -> int:
    return sum(count for key, count in counts.items() if key <= bucket)


def merge(into: Counts, other: Mapping[int, int]) -> None:
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count


def difference(later: Mapping[int, int], earlier: Mapping[int, int]) -> Counts:
    """What was counted between two states of one histogram."""
    return {bucket: gained for bucket, count in later.items() if (gained := count - earlier.get(bucket, 0))}


def to_json(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(bucket): count for bucket, count in counts.items()}


def from_json(data: Mapping[str, int]) -> Counts:
    return {int(bucket): int(count) for bucket, count in data.items()}
