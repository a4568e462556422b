from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from inference.analysis.eprocess import BernoulliProcess, DifferenceProcess, LabelProcess, mean_ln_e

Row = tuple[float, float, int, int]
ROWS: list[Row] = [(3, 57, 1, 0), (5, 95, 0, 2), (40, 60, 3, 1), (1, 99, 1, 1)]


def grid(highest: float) -> list[tuple[float, float]]:
    """(u, prior) written out from the formula, without arrays."""
    step = (log(highest) - log(1.1)) / 39
    points = [log(1.1) + i * step for i in range(40)]
    weights = [exp(-((u / 1.5) ** 2) / 2) for u in points]
    return [(u, w / sum(weights)) for u, w in zip(points, weights, strict=True)]


def label_e(rows: list[Row], theta0: float) -> float:
    """E as a product of probabilities, each event one factor."""
    total = 0.0
    for u, prior in grid(100):
        product = prior
        for n_c, n_s, k_c, k_s in rows:
            theta = theta0 * exp(u)
            p0, p = n_c * theta0 / (n_c * theta0 + n_s), n_c * theta / (n_c * theta + n_s)
            product *= (p / p0) ** k_c * ((1 - p) / (1 - p0)) ** k_s
        total += product
    return total


def processed(rows: list[Row], theta0: float = 1.0) -> LabelProcess:
    process = LabelProcess(theta0)
    for row in rows:
        process.add(*row)
    return process


def test_label__nothing_seen__is_one() -> None:
    assert LabelProcess().ln_e == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("theta0", [1.0, 1.25])
def test_label__a_few_batches__equals_the_product_of_probabilities(theta0: float) -> None:
    assert exp(processed(ROWS, theta0).ln_e) == pytest.approx(label_e(ROWS, theta0), rel=1e-12)


def test_label__one_canary_error_at_one_percent__pays_the_mean_ratio() -> None:
    expected = sum(prior * 100 * exp(u) / (exp(u) + 99) for u, prior in grid(100))
    assert exp(processed([(1, 99, 1, 0)]).ln_e) == pytest.approx(expected)


def test_label__batches_in_another_order__same_evidence() -> None:
    assert processed(ROWS).ln_e == pytest.approx(processed(ROWS[::-1]).ln_e, abs=1e-12)


def test_label__equal_weights_counted_once_or_twice__same_evidence() -> None:
    assert processed([(5, 95, 1, 2), (5, 95, 2, 1)]).ln_e == pytest.approx(processed([(5, 95, 3, 3)]).ln_e, abs=1e-12)


@pytest.mark.parametrize("pause", [(0, 0, 0, 0), (0, 50, 0, 3), (50, 0, 3, 0), (10, 90, 0, 0)])
def test_label__batch_that_says_nothing__changes_nothing(pause: Row) -> None:
    assert processed([*ROWS, pause]).state == processed(ROWS).state


def test_label__state_given_back__continues() -> None:
    first = processed(ROWS[:2])
    second = LabelProcess(likelihoods=np.array(first.state))
    for row in ROWS[2:]:
        second.add(*row)
    assert second.ln_e == pytest.approx(processed(ROWS).ln_e, abs=1e-12)
    assert len(first.state) == 40


def test_label__weights_in_place_of_counts__same_evidence() -> None:
    assert processed([(0.05, 0.95, 4, 2)]).ln_e == pytest.approx(processed([(5, 95, 4, 2)]).ln_e, abs=1e-12)


def test_label__hundred_times_the_errors__stays_finite() -> None:
    assert processed([(10**7, 10**7, 10**7, 10**5)]).ln_e > 10**6
    assert -(10**7) < processed([(10**7, 10**7, 10**5, 10**7)]).ln_e < 0


def test_label__theta0_of_zero__is_refused() -> None:
    with pytest.raises(ValueError, match="theta0"):
        LabelProcess(0)


def test_bernoulli__above__equals_the_likelihood_ratio() -> None:
    process = BernoulliProcess(0.02)
    process.add(60, 3)
    process.add(40, 2)
    expected = 0.0
    for u, prior in grid(50):
        p = 0.02 * exp(u) / (1 - 0.02 + 0.02 * exp(u))
        expected += prior * (p / 0.02) ** 5 * ((1 - p) / 0.98) ** 95
    assert exp(process.ln_e) == pytest.approx(expected)


def test_bernoulli__below__equals_the_likelihood_ratio() -> None:
    process = BernoulliProcess(0.05, "below")
    process.add(200, 1)
    expected = 0.0
    for u, prior in grid(50):
        p = 0.05 * exp(-u) / (0.95 + 0.05 * exp(-u))
        expected += prior * (p / 0.05) * ((1 - p) / 0.95) ** 199
    assert exp(process.ln_e) == pytest.approx(expected)


def test_bernoulli__the_other_side__loses() -> None:
    rare, frequent = BernoulliProcess(0.05, "above"), BernoulliProcess(0.05, "below")
    rare.add(400, 2)
    frequent.add(400, 60)
    assert rare.ln_e < 0 > frequent.ln_e


@pytest.mark.parametrize("p0", [0, 1, -0.1, 1.5])
def test_bernoulli__rate_that_is_none__is_refused(p0: float) -> None:
    with pytest.raises(ValueError, match="p0"):
        BernoulliProcess(p0)


def test_difference__no_errors_at_all__needs_about_four_over_delta() -> None:
    for delta, fewest, most in [(0.02, 150, 200), (0.01, 300, 400), (0.005, 600, 800)]:
        process = DifferenceProcess(delta)
        process.add(fewest, 99 * fewest, 0, 0)
        assert process.ln_e < log(20)
        process.add(most - fewest, 99 * (most - fewest), 0, 0)
        assert process.ln_e > log(20)


def test_difference__canary_delta_worse__never_certified() -> None:
    process = DifferenceProcess(0.02)
    for _ in range(100):
        process.add(100, 900, 3, 9)
    assert process.ln_e < 0


def test_difference__stable_just_as_bad__certified() -> None:
    process = DifferenceProcess(0.02)
    for _ in range(100):
        process.add(100, 900, 3, 27)
    assert process.ln_e > log(20)


def test_difference__no_stable_requests__counts_against_a_stable_rate_of_zero() -> None:
    alone = DifferenceProcess(0.02)
    alone.add(100, 0, 1, 0)
    beside = DifferenceProcess(0.02)
    beside.add(100, 900, 1, 0)
    assert alone.ln_e == pytest.approx(beside.ln_e)


def test_difference__no_canary_requests__changes_nothing() -> None:
    process = DifferenceProcess(0.02)
    process.add(0, 900, 0, 40)
    assert process.ln_e == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("stable", [0.0, 0.01, 0.2, 0.7])
def test_difference__one_canary_and_one_stable_request__expectation_at_most_one(stable: float) -> None:
    """All four outcomes of one batch at the edge of H0, weighted by their chances."""
    delta, canary = 0.02, stable + 0.02
    mean = 0.0
    for k_c, chance_c in [(0, 1 - canary), (1, canary)]:
        for k_s, chance_s in [(0, 1 - stable), (1, stable)]:
            process = DifferenceProcess(delta)
            process.add(1, 1, k_c, k_s)
            mean += chance_c * chance_s * exp(process.ln_e)
    assert mean <= 1 + 1e-12
    assert stable > 0 or mean == pytest.approx(1)


def test_mean_ln_e__four_values__is_the_log_of_their_mean() -> None:
    assert mean_ln_e([log(1), log(2), log(3), log(6)]) == pytest.approx(log(3))
    assert mean_ln_e([-2000.0, 1000.0]) == pytest.approx(1000 - log(2))
