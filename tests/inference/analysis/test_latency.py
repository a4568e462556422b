from __future__ import annotations

import pytest

from inference.analysis.eprocess import Counts4
from inference.analysis.latency import QUANTILES, TOLERATED_BUCKETS, exceedances, freeze
from inference.monitoring.histogram import bucket_of, edge_of

# 1 000 samples, one per bucket and rank: the sample with rank r lies in bucket r.
EVEN = dict.fromkeys(range(1000), 1)


def test_freeze__a_thousand_samples__bucket_of_each_rank() -> None:
    assert freeze(EVEN) == {"p50": 499, "p90": 899, "p99": 989, "p999": 998}


def test_freeze__one_sample_less__is_none() -> None:
    assert freeze(dict.fromkeys(range(999), 1)) is None


def test_freeze__all_in_one_bucket__that_bucket() -> None:
    assert freeze({-150: 5000}) == dict.fromkeys(QUANTILES, -150)


def test_freeze__negative_buckets_in_any_order__sorted_by_duration() -> None:
    assert freeze({-10: 100, -200: 900}) == {"p50": -200, "p90": -200, "p99": -10, "p999": -10}


def test_tolerated__ten_percent_slower__never_an_event() -> None:
    assert TOLERATED_BUCKETS == 5
    for seconds in (0.001, 0.0123, 1.7):
        tau = bucket_of(seconds)
        assert bucket_of(edge_of(tau) * 1.10) <= tau + TOLERATED_BUCKETS
        assert bucket_of(edge_of(tau) * 1.11) > tau + TOLERATED_BUCKETS


def test_exceedances__both_arms__counted_above_their_own_limit() -> None:
    stable = {10: 70, 11: 20, 15: 9, 16: 1}
    canary = {10: 5, 15: 3, 16: 2}
    found = exceedances(stable, canary, {"p50": 10, "p90": 11})
    assert found == {"p50": Counts4(10, 100, 2, 30), "p90": Counts4(10, 100, 0, 10)}


@pytest.mark.parametrize(("stable", "canary"), [({}, {}), ({3: 4}, {}), ({}, {3: 4})])
def test_exceedances__nothing_in_an_arm__counts_zero(stable: dict[int, int], canary: dict[int, int]) -> None:
    found = exceedances(stable, canary, {"p50": 3})["p50"]
    assert found == Counts4(sum(canary.values()), sum(stable.values()), 0, 0)
