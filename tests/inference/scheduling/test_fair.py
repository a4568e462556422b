"""Each owner gets an equal share of the time, whatever the others bring."""

from __future__ import annotations

from collections import Counter

import pytest

from inference.scheduling.fair import FairQueue
from tests.inference.scheduling.work import job


def order(queue: FairQueue) -> list[str]:
    found = []
    while (taken := queue.pop()) is not None:
        found.append(str(taken.owner))
    return found


def test_pop__nothing_waits__none() -> None:
    assert FairQueue().pop() is None


def test_pop__one_owner__in_the_order_of_arrival() -> None:
    queue, jobs = FairQueue(), [job() for _ in range(5)]
    for one in jobs:
        queue.push(one)
    assert [queue.pop() for _ in jobs] == jobs
    assert queue.n_waiting == 0


def test_pop__a_flood_and_a_trickle__the_trickle_waits_for_one_job_at_most() -> None:
    queue = FairQueue()
    for _ in range(100):
        queue.push(job(owner="flood"))
    queue.push(job(owner="trickle"))
    assert "trickle" in order(queue)[:2]


def test_pop__equal_costs__turn_by_turn() -> None:
    queue = FairQueue()
    for _ in range(10):
        queue.push(job(owner="a"))
        queue.push(job(owner="b"))
        queue.push(job(owner="c"))
    found = order(queue)
    for begin in range(0, 30, 3):
        assert sorted(found[begin : begin + 3]) == ["a", "b", "c"]


def test_pop__unequal_costs__equal_time() -> None:
    queue = FairQueue()
    for _ in range(90):
        queue.push(job(owner="cheap", cost=1.0))
        queue.push(job(owner="dear", cost=5.0))
    seconds: Counter[str] = Counter()
    for _ in range(60):
        taken = queue.pop()
        assert taken is not None
        seconds[str(taken.owner)] += int(taken.cost)
    assert abs(seconds["cheap"] - seconds["dear"]) <= 5


def test_settle__a_job_took_longer_than_expected__its_owner_waits_for_it() -> None:
    queue = FairQueue()
    for _ in range(20):
        queue.push(job(owner="a", cost=1.0))
        queue.push(job(owner="b", cost=1.0))
    first = queue.pop()
    assert first is not None
    queue.settle(first, 6.0)
    other = {"a": "b", "b": "a"}[str(first.owner)]
    assert order(queue)[:6] == [other] * 6


def test_push__who_was_idle__saves_nothing_up() -> None:
    queue = FairQueue()
    queue.push(job(owner="idle"))
    queue.pop()
    for _ in range(50):
        queue.push(job(owner="busy"))
    for _ in range(25):
        queue.pop()
    for _ in range(10):
        queue.push(job(owner="idle"))
    assert Counter(order(queue)[:10])["idle"] in (5, 6)


def test_pop__priorities__the_lowest_number_first_within_its_owner_only() -> None:
    queue = FairQueue()
    late = [job(owner="a", priority=1), job(owner="a", priority=2)]
    for _ in range(3):
        queue.push(job(owner="a"))
    queue.push(job(owner="b"))
    for one in late:
        queue.push(one)
    taken = [queue.pop() for _ in range(6)]
    assert [one for one in taken if one in late] == late
    assert taken.index(late[0]) < 2
    assert "b" in [str(one.owner) for one in taken[:2] if one]


def test_drop__waiting__gone_and_counted() -> None:
    queue, jobs = FairQueue(), [job() for _ in range(3)]
    for one in jobs:
        queue.push(one)
    assert queue.drop(jobs[1]) is True
    assert queue.n_waiting == queue.n_waiting_for("a") == 2
    assert [queue.pop(), queue.pop(), queue.pop()] == [jobs[0], jobs[2], None]

    assert queue.drop(jobs[1]) is False


def test_take_like__other_version_between__stops_there() -> None:
    queue = FairQueue()
    jobs = [job(digest="d"), job(digest="d"), job(digest="e"), job(digest="d")]
    for one in jobs:
        queue.push(one)
    first = queue.pop()
    assert first is jobs[0]
    assert list(queue.take_like(first, 8)) == [jobs[1]]
    assert queue.n_waiting == 2


@pytest.mark.parametrize(("threads", "expected"), [(1, 9.0), (2, 4.5)])
def test_wait_of__own_and_others__everybody_gets_as_far_as_oneself(threads: int, expected: float) -> None:
    queue = FairQueue()
    for _ in range(4):
        queue.push(job(owner="me", cost=1.0))
    for _ in range(50):
        queue.push(job(owner="flood", cost=1.0))
    queue.push(job(owner="small", cost=1.0))
    assert queue.wait_of("me", threads) == pytest.approx(expected)
    assert queue.wait_of("new", threads) == 0.0
