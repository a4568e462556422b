from __future__ import annotations

from math import log, sqrt
from random import Random

import pytest

from inference.analysis.sequences import Sums
from inference.experiments.comparing import ArmSums, compare, counted


def half_width(n: int, planned: int, alpha: float) -> float:
    """The formula of the asymptotic confidence sequence, in standard errors, written down once more."""
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / planned
    return sqrt(n) * sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * log(sqrt(n * rho2 + 1) / alpha))


def by_hand(n_a: int, k_a: int, n_b: int, k_b: int, planned_size: int, alpha: float) -> tuple[float, float, float]:
    a, b = k_a / n_a, k_b / n_b
    error = sqrt(a * (1 - a) / (n_a - 1) + b * (1 - b) / (n_b - 1))
    margin = error * half_width(n_a + n_b, 2 * planned_size, alpha)
    return a - b, a - b - margin, a - b + margin


@pytest.mark.parametrize(("n_compared", "alpha"), [(1, 0.05), (4, 0.0125)])
def test_compare__failed_keys__as_by_hand_with_the_arms_part_of_five_percent(n_compared: int, alpha: float) -> None:
    found = compare(counted(1_000, 30), counted(900, 54), 2_000, n_compared)
    assert found == pytest.approx(by_hand(1_000, 30, 900, 54, 2_000, alpha))
    assert found is not None
    assert found.estimate == pytest.approx(-0.03)


def test_compare__more_arms__makes_the_interval_wider() -> None:
    one, four = (compare(counted(500, 50), counted(500, 40), 1_000, n) for n in (1, 4))
    assert one is not None
    assert four is not None
    assert four.high - four.low > one.high - one.low


@pytest.mark.parametrize(
    ("arm", "control"),
    [((99, 50), (500, 50)), ((500, 50), (99, 50)), ((500, 9), (500, 50)), ((500, 50), (500, 9)), ((0, 0), (500, 50))],
)
def test_compare__too_few_keys_or_events__says_nothing(arm: tuple[int, int], control: tuple[int, int]) -> None:
    assert compare(counted(*arm), counted(*control), 1_000) is None


def test_compare__an_arm_whose_keys_all_measure_the_same__says_nothing() -> None:
    """Its spread would come out as nothing, and its value as certain."""
    alike = ArmSums(Sums(200, 20.000000000000004, 200.0, 2.0, 200.0, 20.0), 200)
    assert compare(alike, counted(500, 50), 1_000) is None
    assert compare(counted(500, 500), counted(500, 50), 1_000) is None


def test_compare__mean_time__is_the_ratio_of_sums_and_not_the_mean_of_ratios() -> None:
    busy, rare = [(10, 1.0)] * 60, [(1, 0.3)] * 60
    units = busy + rare
    sums = Sums(
        len(units),
        sum(y for _x, y in units),
        sum(x for x, _y in units),
        sum(y * y for _x, y in units),
        sum(x * x for x, _y in units),
        sum(x * y for x, y in units),
    )
    arm = ArmSums(sums, len(units))
    assert arm.value == pytest.approx(78 / 660)
    found = compare(arm, arm, 1_000)
    assert found is not None
    assert found.estimate == 0


def test_compare__no_difference_looked_at_often__rarely_seems_to_be_one() -> None:
    """Over a hundred looks each, at five percent for all of them together."""
    rng, n_wrong = Random(5), 0
    for _run in range(60):
        counts = [[0, 0], [0, 0]]
        for step in range(1, 2_001):
            for arm in counts:
                arm[0] += 1
                arm[1] += rng.random() < 0.1
            if step % 20 == 0:
                found = compare(counted(*counts[0]), counted(*counts[1]), 1_000)
                if found and not found.low <= 0 <= found.high:
                    n_wrong += 1
                    break
    assert n_wrong <= 6
