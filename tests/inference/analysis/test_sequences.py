from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from inference.analysis.sequences import Sums, difference, ratio


def test_difference__documented_formula__by_hand() -> None:
    found = difference(10.0, 4.0, 500, 9.0, 9.0, 500, planned=1000)
    assert found is not None
    tuned = (-2 * log(0.05) + log(-2 * log(0.05) + 1)) / 1000
    n, spread = 1000, 1000 * tuned
    wide = sqrt(4 / 500 + 9 / 500) * sqrt(n)
    margin = wide * sqrt(2 * (spread + 1) / (n**2 * tuned) * log(sqrt(spread + 1) / 0.05))
    assert found.estimate == 1.0
    assert found.high - found.estimate == pytest.approx(margin)
    assert found.estimate - found.low == pytest.approx(margin)


@pytest.mark.parametrize(("n_a", "n_b", "n_events"), [(99, 500, 50), (500, 99, 50), (500, 500, 9)])
def test_difference__too_little_seen__is_none(n_a: int, n_b: int, n_events: int) -> None:
    assert difference(1, 1, n_a, 1, 1, n_b, 1000, n_events=n_events) is None


def test_difference__just_enough__an_interval() -> None:
    assert difference(1, 1, 100, 1, 1, 100, 1000, n_events=10) is not None


def test_difference__far_from_the_planned_size__wider_in_standard_errors() -> None:
    def in_errors(n: int) -> float:
        found = difference(0, 1, n, 0, 1, n, planned=2000)
        assert found is not None
        return found.high / sqrt(2 / n)

    assert in_errors(1000) < in_errors(200)
    assert in_errors(1000) < in_errors(20_000)
    assert in_errors(1000) == pytest.approx(2.94, abs=0.1)


def test_difference__no_true_difference__covered_at_all_looks() -> None:
    """200 runs, 150 looks each from 200 to 30 000 units: 10 misses are allowed at 5 %, 21 is the 99.9 % point."""
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        a, b = np.cumsum(rng.binomial(100, 0.3, 150)), np.cumsum(rng.binomial(100, 0.3, 150))
        n = np.arange(100, 15_001, 100)
        missed += any(not covers(int(k), int(j), int(size)) for k, j, size in zip(a, b, n, strict=True))
    assert missed <= 21


def covers(k_a: int, k_b: int, n: int) -> bool:
    p_a, p_b = k_a / n, k_b / n
    found = difference(p_a, p_a * (1 - p_a), n, p_b, p_b * (1 - p_b), n, planned=10_000)
    return found is None or found.low <= 0 <= found.high


def sums_of(y: np.ndarray, x: np.ndarray) -> Sums:
    return Sums(len(y), y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum())


def test_ratio__denominator_always_one__is_the_difference_of_means() -> None:
    rng = np.random.default_rng(4)
    a, b, ones = rng.normal(3, 1, 400), rng.normal(2, 2, 400), np.ones(400)
    expected = difference(a.mean(), a.var(ddof=1), 400, b.mean(), b.var(ddof=1), 400, 1000)
    assert ratio(sums_of(a, ones), sums_of(b, ones), 1000) == pytest.approx(expected)


def test_ratio__varying_denominator__variance_of_the_residuals() -> None:
    rng = np.random.default_rng(6)
    x = rng.poisson(4, 500) + 1.0
    y = rng.binomial(x.astype(int), 0.3).astype(float)
    found = ratio(sums_of(y, x), sums_of(y, x), 1000)
    assert found is not None
    residuals = (y - y.sum() / x.sum() * x) / x.mean()
    variance = float((residuals**2).sum() / 499)
    expected = difference(0, variance, 500, 0, variance, 500, 1000)
    assert expected is not None
    assert found == pytest.approx(expected)


def test_ratio__nothing_in_the_denominator__is_none() -> None:
    empty, full = Sums(500, 0, 0, 0, 0, 0), Sums(500, 100, 500, 100, 500, 100)
    assert ratio(empty, full, 1000) is None
    assert ratio(full, full._replace(n=99), 1000) is None
