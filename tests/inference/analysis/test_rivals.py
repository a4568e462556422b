from __future__ import annotations

from inference.analysis.eprocess import Counts4
from inference.analysis.rivals import Rival, rivals

FINE, ONE_BAD = Counts4(50, 950, 0, 1), Counts4(50, 950, 1, 1)


def rule(name: str) -> Rival:
    return next(rival for rival in rivals() if rival.name == name)


def looks(name: str, minutes: list[Counts4]) -> list[bool]:
    rival = rule(name)
    return [rival.looks(minute) for minute in minutes]


def test_flagger__fifth_minute_below_99_percent__rolls_back() -> None:
    assert looks("Flagger", [ONE_BAD, FINE] * 4 + [ONE_BAD]) == [False] * 8 + [True]


def test_flagger__exactly_99_percent__passes() -> None:
    assert not any(looks("Flagger", [Counts4(100, 900, 1, 0)] * 20))


def test_flagger__minutes_without_canary_requests__pass() -> None:
    assert not any(looks("Flagger", [Counts4(0, 900, 0, 0)] * 20))


def test_argo__fourth_five_minutes_below_95_percent__rolls_back() -> None:
    bad = Counts4(50, 950, 4, 0)
    assert looks("Argo", [bad] * 20) == [False] * 19 + [True]
    assert not any(looks("Argo", [FINE, FINE, FINE, FINE, bad] * 20))


def test_z_test__difference_of_more_than_2_3_errors__rolls_back() -> None:
    # Pooled 6 of 1 000: standard error 0.0112 at 50 and 950, so 2 of 50 against 4 of 950 is 3.2 of them.
    assert looks("z test", [Counts4(50, 950, 2, 4)]) == [True]
    assert looks("z test", [Counts4(50, 950, 1, 4)]) == [False]


def test_z_test__nothing_to_compare__waits() -> None:
    assert looks("z test", [Counts4(0, 950, 0, 3), FINE._replace(k_s=0)]) == [False, False]
