from __future__ import annotations

import pytest

from inference.scheduling import rate
from inference.scheduling.rate import RateLimits
from portal.lib.errors import TooManyRequests


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(rate.time, "monotonic", lambda: now[0])
    return now


def passed(limits: RateLimits, key: str, per_second: float, times: int) -> int:
    count = 0
    for _ in range(times):
        try:
            limits.take(key, per_second)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_take__at_once__one_second_worth_passes(clock: list[float]) -> None:
    limits = RateLimits()
    assert passed(limits, "t", 10, 30) == 10
    clock[0] += 0.5
    assert passed(limits, "t", 10, 30) == 5
    clock[0] += 60
    assert passed(limits, "t", 10, 30) == 10


def test_take__another_token__has_its_own(clock: list[float]) -> None:
    limits = RateLimits()
    assert [passed(limits, key, 3, 9) for key in "ab"] == [3, 3]


def test_take__several_processes__each_gives_out_its_part(clock: list[float]) -> None:
    limits = RateLimits()
    limits.n_processes = 4
    assert passed(limits, "t", 20, 100) == 5


def test_take__over__says_when_to_come_back(clock: list[float]) -> None:
    limits = RateLimits()
    limits.n_processes = 4
    limits.take("t", 1)
    with pytest.raises(TooManyRequests) as refused:
        limits.take("t", 1)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "rate_limited", 4)
