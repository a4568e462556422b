from __future__ import annotations

from random import Random

import pytest

from inference.analysis.sequences import Interval
from inference.experiments.harm import Failures, breaches, increase_is_proven, sign_of_difference


@pytest.mark.parametrize(
    ("arm", "control", "tolerated", "proven"),
    [
        ((500, 100), (500, 0), 0.01, True),  # the control never fails, so that no interval exists
        ((500, 100), (500, 0), 0.3, False),
        ((500, 500), (500, 0), 0.0, True),
        ((2_000, 200), (2_000, 40), 0.01, True),
        ((2_000, 45), (2_000, 40), 0.0, False),
        ((2_000, 40), (2_000, 200), 0.0, False),
        ((5, 5), (0, 0), 0.0, False),
        ((0, 0), (5, 0), 0.0, False),
        ((3, 3), (3, 0), 0.0, False),
        ((500, 500), (500, 500), 0.0, False),
    ],
)
def test_increase__counts__are_proof_or_not(
    arm: tuple[int, int], control: tuple[int, int], tolerated: float, proven: bool
) -> None:
    assert increase_is_proven(Failures(*arm), Failures(*control), tolerated) is proven


def test_increase__exactly_what_is_tolerated_and_looked_at_often__is_no_breach() -> None:
    rng, n_wrong = Random(7), 0
    for _run in range(40):
        arm = control = Failures(0, 0)
        for _look in range(50):
            arm = Failures(arm.n + 40, arm.k + sum(rng.random() < 0.06 for _ in range(40)))
            control = Failures(control.n + 40, control.k + sum(rng.random() < 0.05 for _ in range(40)))
            if increase_is_proven(arm, control, 0.01):
                n_wrong += 1
                break
    assert n_wrong <= 1


def test_breaches__each_guardrail__names_the_arm_and_what_was_tolerated() -> None:
    failures = {"control": Failures(800, 8), "b": Failures(800, 200), "c": Failures(800, 9)}
    slower = {"b": None, "c": Interval(0.2, 0.11, 0.3)}
    rails = {"error_increase": 0.05, "latency_increase": 0.1, "stop": True}
    assert breaches(rails, failures, slower, "control") == [
        ("b", "error_increase", 0.05),
        ("c", "latency_increase", 0.1),
    ]
    assert breaches({}, failures, slower, "control") == []


@pytest.mark.parametrize(
    ("arm", "control", "sign"),
    [
        ((400, 0), (400, 80), -0.2),
        ((400, 80), (400, 0), 0.2),
        ((400, 2), (400, 3), None),
        ((400, 0), (400, 0), None),
        ((99, 0), (99, 99), None),
    ],
)
def test_sign__counts__is_said_where_it_is_proven(
    arm: tuple[int, int], control: tuple[int, int], sign: float | None
) -> None:
    assert sign_of_difference(Failures(*arm), Failures(*control)) == sign
