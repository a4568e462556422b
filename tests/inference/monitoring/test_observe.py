from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection

import pytest

from inference.monitoring import observe as observing
from inference.monitoring.histogram import LOWEST, bucket_of
from inference.monitoring.observe import Observations
from inference.monitoring.outcomes import outcome_of
from inference.monitoring.state import LOADS, Event, Refusal
from inference.monitoring.tally import Served, Tally


def test_observe__good_answers__sums_and_histograms_are_exact(seen: Observations, stable: Served) -> None:
    seen.observe(stable, 200, "", 0.5, 4, 0.0, 0.25, 0.125, 0.0625)
    seen.observe(stable, 200, "", 1.5, 4, 0.5, 0.75, 0.125, 0.0625)
    tally = seen.state().tallies[stable]
    assert (tally.n_ok, tally.n_rows, tally.n_runs, tally.n_failed) == (2, 8, 2, 0)
    assert (tally.seconds, tally.queue_seconds, tally.run_seconds) == (2.0, 0.5, 1.0)
    assert (tally.decode_seconds, tally.encode_seconds) == (0.25, 0.125)
    assert tally.latency == {bucket_of(0.5): 1, bucket_of(1.5): 1}
    assert tally.queue == {LOWEST: 1, bucket_of(0.5): 1}
    assert tally.runs == {bucket_of(0.25): 1, bucket_of(0.75): 1}
    assert tally.batches == {4: [2.0, 0.25, 1.0, 0.125]}


def test_observe__requests_that_shared_a_run__make_one_run(seen: Observations, stable: Served) -> None:
    seen.observe(stable, 200, "", 0.5, 1, 0.0, 0.25, run_rows=3)
    seen.observe(stable, 200, "", 0.5, 2, 0.0, 0.25, run_rows=0)
    tally = seen.state().tallies[stable]
    assert (tally.n_ok, tally.n_rows, tally.n_runs) == (2, 3, 1)
    assert (tally.run_seconds, tally.own_run_seconds) == (0.5, 0.25)
    assert list(tally.batches) == [3]


def test_observe__failures__are_counted_by_status_and_code_and_stay_out_of_latency(
    seen: Observations, stable: Served
) -> None:
    for status, code in ((422, "model_refused"), (422, "model_refused"), (503, "overloaded")):
        seen.observe(stable, status, code, 0.25)
    tally = seen.state().tallies[stable]
    assert tally.failures == {(422, "model_refused"): 2, (503, "overloaded"): 1}
    assert (tally.n_ok, tally.latency, tally.failed_seconds) == (0, {}, 0.75)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "", "ok"),
        (400, "wrong_shape", "caller"),
        (401, "invalid_token", "caller"),
        (404, "endpoint_not_found", "caller"),
        (413, "too_large", "caller"),
        (422, "model_refused", "model"),
        (429, "rate_limited", "rejected"),
        (500, "internal", "model"),
        (503, "overloaded", "rejected"),
        (503, "model_not_loadable", "model"),
        (504, "deadline_exceeded", "model"),
        (504, "deadline_in_queue", "rejected"),
    ],
)
def test_outcome_of__an_answer__blames_the_version_only_for_what_it_did(status: int, code: str, outcome: str) -> None:
    assert outcome_of(status, code) == outcome


def test_observe__eight_threads_that_end__no_count_is_lost(seen: Observations, stable: Served) -> None:
    canary = stable._replace(variant="canary")

    def work() -> None:
        for _ in range(2_000):
            seen.observe(stable, 200, "", 0.001, 1)
            seen.observe(canary, 422, "model_refused", 0.001)
            seen.refuse("", 404, "endpoint_not_found")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.state()
    for _ in range(2):
        state = seen.state()
        assert (state.tallies[stable].n_ok, state.tallies[canary].n_failed) == (16_000, 16_000)
        assert state.refusals == {Refusal("", 404, "endpoint_not_found"): 16_000}
    assert seen._tables == []


def test_count__events__are_kept_by_result(seen: Observations) -> None:
    seen.count(LOADS)
    seen.count(LOADS, "failed", 2)
    assert seen.state().events == {Event(LOADS, "ok"): 1, Event(LOADS, "failed"): 2}


def test_state__after_another_answer__is_dated_and_the_earlier_copy_stands_still(
    seen: Observations, stable: Served
) -> None:
    seen.observe(stable, 200, "", 0.001, 1)
    first = seen.state().tallies[stable]
    again = seen.state().tallies[stable]
    seen.observe(stable, 200, "", 0.001, 1)
    later = seen.state().tallies[stable]
    assert (first.n_ok, later.n_ok) == (1, 2)
    assert 0 < first.last == again.last < later.last


def test_since__two_copies__is_what_came_between(seen: Observations, stable: Served) -> None:
    seen.observe(stable, 200, "", 0.5, 2)
    before = seen.state().tallies[stable]
    seen.observe(stable, 200, "", 0.25, 3)
    seen.observe(stable, 400, "wrong_shape", 0.25)
    gained = seen.state().tallies[stable].since(before)
    assert (gained.n_ok, gained.n_rows, gained.seconds) == (1, 3, 0.25)
    assert gained.latency == {bucket_of(0.25): 1}
    assert gained.failures == {(400, "wrong_shape"): 1}
    assert list(gained.batches) == [3]
    before.add(gained)
    assert before.to_json() == seen.state().tallies[stable].to_json()
    assert Tally.from_json(before.to_json()).to_json() == before.to_json()


def _child(pipe: Connection) -> None:
    observing.count("test_of_a_fork")
    pipe.send(sum(n for event, n in observing.OBSERVATIONS.state().events.items() if event.name == "test_of_a_fork"))


def test_fork__a_child__begins_at_nought() -> None:
    observing.count("test_of_a_fork", n=5)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_child, args=(theirs,))
    child.start()
    assert ours.recv() == 1
    child.join()
