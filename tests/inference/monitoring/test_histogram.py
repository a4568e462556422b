from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.monitoring.histogram import (
    HIGHEST,
    LOWEST,
    bucket_of,
    count_up_to,
    difference,
    edge_of,
    from_json,
    merge,
    nearest_edge,
    quantile,
    to_json,
    value_of,
)

durations = st.lists(st.floats(min_value=1.1e-6, max_value=3599.0), min_size=1, max_size=200)


def counted(values: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        merge(counts, {bucket_of(value): 1})
    return counts


@pytest.mark.parametrize(("seconds", "bucket"), [(1.0, 0), (1.01, 1), (1.03, 2), (0.99, 0), (0.97, -1)])
def test_bucket_of__a_duration__is_the_next_power_of_gamma(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, LOWEST), (-1.0, LOWEST), (1e-9, LOWEST), (1e9, HIGHEST), (math.inf, HIGHEST)]
)
def test_bucket_of__what_lies_outside__counts_as_the_nearest(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@given(durations, st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]))
def test_quantile__of_any_durations__is_within_one_percent(values: list[float], q: float) -> None:
    exact = sorted(values)[int(q * (len(values) - 1))]
    assert quantile(counted(values), q) == pytest.approx(exact, rel=0.01)


def test_quantile__of_many_durations__agrees_with_numpy_within_one_percent() -> None:
    values = np.random.default_rng(7).lognormal(-7, 1.5, 20_000)
    counts = counted(values.tolist())
    for q in (0.01, 0.5, 0.9, 0.95, 0.99, 0.999):
        assert quantile(counts, q) == pytest.approx(np.quantile(values, q, method="lower"), rel=0.01)


def test_quantile__of_nothing__is_none() -> None:
    assert quantile({}, 0.5) is None


@given(durations, durations)
def test_merge__of_two_histograms__is_that_of_all_values(one: list[float], other: list[float]) -> None:
    counts = counted(one)
    merge(counts, counted(other))
    assert counts == counted(one + other)
    assert difference(counts, counted(other)) == counted(one)


@given(durations)
def test_json__there_and_back__is_the_same(values: list[float]) -> None:
    counts = counted(values)
    assert from_json(to_json(counts)) == counts
    assert all(isinstance(key, str) for key in to_json(counts))


@given(durations, st.sampled_from([1e-4, 0.0025, 0.1, 5.0]))
def test_count_up_to__an_edge__counts_what_is_not_longer(values: list[float], seconds: float) -> None:
    bucket = nearest_edge(seconds)
    edge = edge_of(bucket)
    clear = [value for value in values if abs(value / edge - 1) > 1e-9]
    assert edge == pytest.approx(seconds, rel=0.01)
    assert count_up_to(counted(clear), bucket) == sum(value <= edge for value in clear)


def test_value_of__a_bucket__lies_between_its_edges() -> None:
    assert edge_of(41) < value_of(42) < edge_of(42)
