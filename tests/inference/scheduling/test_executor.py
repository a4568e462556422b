"""Threads, what they join, and what the door refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from inference.scheduling import executor as executors
from inference.scheduling.executor import Executor
from inference.scheduling.job import BatchPlan, State
from portal.lib.errors import DeadlineExceeded, Unavailable, Unprocessable
from tests.inference.scheduling.work import Doubling, Ended, job

TOGETHER = BatchPlan(max_size=8)


@pytest.fixture
def one_thread() -> Iterator[Executor]:
    made = Executor("test", 1, longest_wait=100.0)
    yield made
    made.close()


def held(executor: Executor, ended: Ended) -> threading.Event:
    """Keeps the only thread busy until the event is set, so that what is submitted meanwhile has to wait."""
    gate = threading.Event()
    executor.submit(job(Doubling(gate), owner="holder", digest="holder", on_end=ended))
    while executor.n_waiting():
        time.sleep(0.001)
    return gate


def test_submit__idle__runs_and_ends_with_the_result(one_thread: Executor) -> None:
    ended = Ended()
    one_thread.submit(job(x=[1, 2], on_end=ended))
    (done,) = ended.wait_for(1)
    assert (done.result, done.error, done.state) == (([2.0, 4.0], -1), None, State.ENDED)
    assert done.queued >= 0


def test_submit__model_refuses__error_and_the_thread_goes_on(one_thread: Executor) -> None:
    ended = Ended()
    one_thread.submit(job(Doubling(fail=lambda _x: Unprocessable("No.")), on_end=ended))
    one_thread.submit(job(x=[3], on_end=ended))
    first, second = ended.wait_for(2)
    assert isinstance(first.error, Unprocessable)
    assert second.result == ([6.0], -1)


def test_submit__two_threads__two_at_once() -> None:
    executor, ended, gate = Executor("test", 2, 100.0), Ended(), threading.Event()
    both = threading.Barrier(2, timeout=20)
    meeting = Doubling(gate, fail=lambda _x: both.wait() and None)
    for owner in "ab":
        executor.submit(job(meeting, owner=owner, on_end=ended))
    gate.set()
    assert all(done.error is None for done in ended.wait_for(2))
    executor.close()


def test_batching__waiting_for_the_same_version__one_run_and_each_its_own_rows(one_thread: Executor) -> None:
    ended, session = Ended(), Doubling()
    gate = held(one_thread, ended)
    for rows in ([1.0], [2.0, 3.0], [4.0]):
        one_thread.submit(job(session, rows, plan=TOGETHER, on_end=ended))
    gate.set()
    results = [done.result for done in ended.wait_for(4)[1:]]
    assert results == [([2.0], 4), ([4.0, 6.0], 0), ([8.0], 0)]
    assert session.rows == [4]


def test_batching__more_than_fits__in_as_many_runs_as_it_takes(one_thread: Executor) -> None:
    ended, session = Ended(), Doubling()
    gate = held(one_thread, ended)
    for rows in ([1.0] * 5, [1.0] * 3, [1.0] * 4, [1.0] * 9):
        one_thread.submit(job(session, rows, plan=TOGETHER, on_end=ended))
    gate.set()
    ended.wait_for(5)
    assert session.rows == [8, 4, 9]


def test_batching__other_outputs_or_switched_off__alone(one_thread: Executor) -> None:
    ended, session = Ended(), Doubling()
    gate = held(one_thread, ended)
    one_thread.submit(job(session, plan=TOGETHER, on_end=ended))
    one_thread.submit(job(session, plan=TOGETHER, outputs=["y"], on_end=ended))
    one_thread.submit(job(session, on_end=ended))
    gate.set()
    ended.wait_for(4)
    assert session.rows == [1, 1, 1]


def test_batching__one_is_refused__the_others_are_answered(one_thread: Executor) -> None:
    ended = Ended()
    session = Doubling(fail=lambda x: Unprocessable("No.") if (x < 0).any() else None)
    gate = held(one_thread, ended)
    for value in (1.0, -1.0, 3.0):
        one_thread.submit(job(session, [value], plan=TOGETHER, on_end=ended))
    gate.set()
    outcomes = [done.result and done.result[0] for done in ended.wait_for(4)[1:]]
    assert outcomes == [[2.0], None, [6.0]]
    assert session.rows == [3, 1, 1, 1]


def test_batching__delay__the_first_waits_for_the_second(one_thread: Executor) -> None:
    ended, session = Ended(), Doubling()
    patient = BatchPlan(max_size=2, delay=20.0)
    one_thread.submit(job(session, [1.0], plan=patient, on_end=ended))
    one_thread.submit(job(session, [2.0], plan=patient, on_end=ended))
    ended.wait_for(2)
    assert session.rows == [2]


def test_drop__waiting__never_runs(one_thread: Executor) -> None:
    ended, session = Ended(), Doubling()
    gate = held(one_thread, ended)
    left, kept = job(session, on_end=ended), job(session, on_end=ended)
    one_thread.submit(left)
    one_thread.submit(kept)
    assert one_thread.drop(left) is True
    gate.set()
    assert ended.wait_for(2)[1] is kept
    assert session.rows == [1]
    assert one_thread.drop(kept) is False


def test_admission__expected_wait_beyond_the_limit__refused_at_once_with_a_hint(one_thread: Executor) -> None:
    ended = Ended()
    gate = held(one_thread, ended)
    one_thread.submit(job(cost=101.0, on_end=ended))
    with pytest.raises(Unavailable) as refused:
        one_thread.submit(job(on_end=ended))
    assert (refused.value.code, refused.value.status, refused.value.retry_after) == ("overloaded", 503, 30)
    one_thread.submit(job(owner="somebody else", on_end=ended))  # whose own queue is empty
    gate.set()
    ended.wait_for(3)


def test_admission__deadline_comes_first__refused(one_thread: Executor) -> None:
    ended = Ended()
    gate = held(one_thread, ended)
    one_thread.submit(job(cost=50.0, on_end=ended))
    with pytest.raises(Unavailable):
        one_thread.submit(job(deadline=time.monotonic() + 5, on_end=ended))
    gate.set()
    ended.wait_for(2)


def test_admission__queue_full_or_too_many_bytes__refused(
    one_thread: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "MOST_WAITING_PER_OWNER", 2)
    monkeypatch.setattr(executors, "MOST_WAITING_BYTES", 100)
    ended = Ended()
    gate = held(one_thread, ended)
    one_thread.submit(job(cost=0.0, n_bytes=60, on_end=ended))
    with pytest.raises(Unavailable):
        one_thread.submit(job(cost=0.0, n_bytes=60, on_end=ended))
    one_thread.submit(job(cost=0.0, on_end=ended))
    with pytest.raises(Unavailable):
        one_thread.submit(job(cost=0.0, on_end=ended))
    gate.set()
    ended.wait_for(3)
    one_thread.submit(job(cost=0.0, n_bytes=1_000, on_end=ended))  # alone it may be any size
    ended.wait_for(4)


def test_close__what_waits_is_done_and_nothing_more_is_taken(one_thread: Executor) -> None:
    ended = Ended()
    gate = held(one_thread, ended)
    one_thread.submit(job(on_end=ended))
    one_thread.close()
    with pytest.raises(Unavailable):
        one_thread.submit(job(on_end=ended))
    gate.set()
    assert len(ended.wait_for(2)) == 2


def test_run__deadline_of_the_body__reaches_the_model(one_thread: Executor) -> None:
    ended = Ended()
    seen: list[float | None] = []

    class Noting(Doubling):
        def run(self, inputs, outputs=None, *, deadline=None):  # type: ignore[no-untyped-def]
            seen.append(deadline)
            raise DeadlineExceeded("Too late.")

    one = job(Noting(), on_end=ended)
    one.work.deadline = 123.0  # as decoding finds it
    one_thread.submit(one)
    assert isinstance(ended.wait_for(1)[0].error, DeadlineExceeded)
    assert seen == [123.0]


def test_stress__many_threads_submit_and_drop__every_job_ends_once() -> None:
    executor, ended = Executor("test", 3, longest_wait=1e9), Ended()
    dropped: list[bool] = []

    def send(owner: str) -> None:
        for index in range(150):
            one = job(owner=owner, cost=0.001, plan=TOGETHER if index % 2 else None, on_end=ended)
            executor.submit(one)
            if index % 5 == 0:
                dropped.append(executor.drop(one))

    senders = [threading.Thread(target=send, args=(owner,)) for owner in "abcd"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    done = ended.wait_for(600 - sum(dropped))
    assert len(done) == len(set(map(id, done))) == 600 - sum(dropped)
    assert all(one.result[0] == [2.0] for one in done)
    executor.close()
