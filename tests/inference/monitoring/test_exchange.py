from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from inference.monitoring.exchange import ENDED, Exchange
from inference.monitoring.observe import Observations
from inference.monitoring.state import LOADS, Event, Gauges, Refusal, State
from inference.monitoring.tally import Served

SERVED = Served(1, "shop", 11, 3, "stable")


def counts(n: int, pid: int = 1) -> State:
    made = Observations()
    for _ in range(n):
        made.observe(SERVED, 200, "", 0.001, 1)
    made.observe(SERVED, 422, "model_refused", 0.001)
    made.refuse("", 404, "endpoint_not_found")
    made.count(LOADS)
    state = made.state()
    state.gauges[pid] = Gauges(queue={("shop", 3): 2}, n_sessions=1, memory_bytes=100)
    return state


def _other_process(place: Path, n: int) -> None:
    Exchange(place, uuid4()).publish(counts(n, os.getpid()))


def publish_elsewhere(place: Path, n: int) -> None:
    """In a process that has ended when this returns."""
    process = multiprocessing.get_context("fork").Process(target=_other_process, args=(place, n))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_read__two_living_processes__gives_their_sum(tmp_path: Path) -> None:
    Exchange(tmp_path, uuid4()).publish(counts(2, 1))
    Exchange(tmp_path, uuid4()).publish(counts(3, 2))
    whole = Exchange(tmp_path).read()
    assert whole.tallies[SERVED].n_ok == 5
    assert whole.tallies[SERVED].failures == {(422, "model_refused"): 2}
    assert whole.refusals == {Refusal("", 404, "endpoint_not_found"): 2}
    assert whole.events == {Event(LOADS, "ok"): 2}
    assert whole.gauges == {pid: Gauges(queue={("shop", 3): 2}, n_sessions=1, memory_bytes=100) for pid in (1, 2)}


def test_publish__again__replaces_what_was_said(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path, uuid4())
    exchange.publish(counts(2))
    exchange.publish(counts(7))
    assert exchange.read().tallies[SERVED].n_ok == 7


def test_read__a_dead_process__keeps_its_counts_and_drops_its_gauges(tmp_path: Path) -> None:
    publish_elsewhere(tmp_path, 4)
    Exchange(tmp_path, uuid4()).publish(counts(1))
    whole = Exchange(tmp_path).read()
    assert (whole.tallies[SERVED].n_ok, list(whole.gauges)) == (5, [1])


def test_fold__dead_processes__are_added_once_and_their_files_go(tmp_path: Path) -> None:
    living = Exchange(tmp_path, uuid4())
    living.publish(counts(1))
    for n in (4, 5):
        publish_elsewhere(tmp_path, n)
    assert (living.fold(), living.fold()) == (2, 0)
    publish_elsewhere(tmp_path, 6)
    assert living.fold() == 1
    assert living.read().tallies[SERVED].n_ok == 16
    assert len(list(tmp_path.glob("process-*.json"))) == 1


def test_fold__killed_before_the_files_were_deleted__counts_them_once(tmp_path: Path) -> None:
    publish_elsewhere(tmp_path, 4)
    (file,) = tmp_path.glob("process-*.json")
    kept = tmp_path / "kept"
    shutil.copy(file, kept)
    exchange = Exchange(tmp_path)
    exchange.fold()
    kept.rename(file)
    assert exchange.read().tallies[SERVED].n_ok == 4
    assert exchange.fold() == 1
    assert exchange.read().tallies[SERVED].n_ok == 4
    assert not file.exists()


def test_publish__as_ended__is_folded_though_the_process_lives(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path, uuid4())
    exchange.publish(counts(2), ended=True)
    assert exchange.read().gauges == {}
    assert exchange.fold() == 1
    assert exchange.read().tallies[SERVED].n_ok == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": 1}', '{"identity": ["a", 1, 2.0], "ended": false, "state": {}}']
)
def test_read__a_broken_file__is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "process-broken.json").write_text(text)
    (tmp_path / ENDED).write_text(text)
    exchange = Exchange(tmp_path, uuid4())
    exchange.publish(counts(2))
    exchange.fold()
    assert exchange.read().tallies[SERVED].n_ok == 2
