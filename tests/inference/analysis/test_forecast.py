from __future__ import annotations

from math import log

import pytest

from inference.analysis.eprocess import DifferenceProcess
from inference.analysis.forecast import FOREVER, requests_needed, seconds_needed


@pytest.mark.parametrize(("delta", "fewest", "most"), [(0.02, 150, 200), (0.01, 330, 400), (0.005, 650, 800)])
def test_requests_needed__no_errors__about_four_over_delta(delta: float, fewest: int, most: int) -> None:
    assert fewest <= requests_needed(delta, 0.0, 100) <= most


def test_requests_needed__the_answer__is_the_first_that_suffices() -> None:
    needed = requests_needed(0.01, 0.005, 1, weight_bp=1_000)
    before, after = DifferenceProcess(0.01), DifferenceProcess(0.01)
    before.add(needed - 1, 9 * (needed - 1), (needed - 1) * 0.005, 9 * (needed - 1) * 0.005)
    after.add(needed, 9 * needed, needed * 0.005, 9 * needed * 0.005)
    assert before.ln_e < log(20) <= after.ln_e


def test_requests_needed__minimum_of_the_stage__is_kept() -> None:
    assert requests_needed(0.02, 0.0, 1_000) == 1_000


def test_requests_needed__more_errors__more_requests() -> None:
    rising = [requests_needed(0.01, rate, 1) for rate in (0, 0.002, 0.01, 0.05)]
    assert rising == sorted(rising)
    assert rising[0] < rising[-1] / 10


def test_requests_needed__every_second_request_fails__not_in_any_reasonable_time() -> None:
    assert requests_needed(0.0001, 0.5, 100) == FOREVER


@pytest.mark.parametrize(("bake_seconds", "expected"), [(0, 600.0), (300, 600.0), (900, 900)])
def test_seconds_needed__at_a_rate__the_longer_of_both(bake_seconds: float, expected: float) -> None:
    assert seconds_needed(300, 10, 500, bake_seconds) == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "weight_bp"), [(0, 500), (10, 0)])
def test_seconds_needed__no_traffic__is_none(rate: float, weight_bp: int) -> None:
    assert seconds_needed(300, rate, weight_bp, 300) is None
