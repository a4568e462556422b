"""Evidence on its way to PostgreSQL: everything once, all arms together, and nothing lost while it is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from inference.models import Endpoint, EvidenceWindow, ServingProcess
from inference.monitoring import flusher as flushing
from inference.monitoring.evidence import Evidence
from inference.monitoring.evidence_writer import EvidenceWriter
from inference.monitoring.flusher import Flusher
from inference.monitoring.histogram import bucket_of
from inference.monitoring.observe import Observations
from inference.routing.snapshot import Route, read_changes
from tests.factories import make_endpoint
from tests.inference.serving.watched import start_rollout


def route_to(endpoint: Endpoint) -> Route:
    return next(route for route in read_changes(-1).routes if route.slug == endpoint.slug)


@pytest.fixture
def noted() -> Evidence:
    return Evidence()


@pytest.fixture
def process(db: None) -> UUID:
    """A row whose lease is over: a writer would wait for it otherwise."""
    return ServingProcess.objects.create(host="h", pid=1, lease_expires_at=timezone.now() - timedelta(hours=1)).pk


@contextmanager
def refused(*beginnings: str) -> Iterator[None]:
    """PostgreSQL takes no statement that begins with one of these."""

    def wrapper(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(beginnings):
            raise OperationalError("away")
        return execute(sql, *rest)

    with connection.execute_wrapper(wrapper):
        yield


def note_both(noted: Evidence, route: Route, n: int = 1, **facts: Any) -> None:
    for variant in ("stable", "canary"):
        for _ in range(n):
            noted.note(route, variant, None, 200, "", 0.5, **facts)


def flush(writer: EvidenceWriter) -> int:
    writer.cut()
    return writer.write()


def totals() -> tuple[int, int, int]:
    """(rows, answers, bad ones) in PostgreSQL."""
    found = list(EvidenceWindow.objects.values_list("n", "n_bad"))
    return len(found), sum(n for n, _bad in found), sum(bad for _n, bad in found)


def test_write__both_arms__rows_with_exact_figures(noted: Evidence, process: UUID) -> None:
    endpoint = start_rollout(make_endpoint("shop"), 500)
    route, writer = route_to(endpoint), EvidenceWriter(process, noted)
    note_both(noted, route, n=2)
    noted.note(route, "canary", -5, 422, "model_refused", 0.25)
    assert flush(writer) == 3
    canary, keyed, stable = EvidenceWindow.objects.order_by("variant", "is_keyed")
    assert (canary.variant, canary.is_keyed, canary.n, canary.n_bad) == ("canary", False, 2, 0)
    assert canary.latency == stable.latency == {str(bucket_of(0.5)): 2}
    assert (keyed.is_keyed, keyed.n, keyed.n_bad, keyed.units) == (True, 1, 1, [[-5, 1, 1, 0.25]])
    assert keyed.details == {"codes": {"model_refused": 1}}
    assert {(row.process, row.seq, row.split_id, row.taken) for row in (canary, keyed, stable)} == {
        (process, 1, endpoint.live_split_id, None)
    }
    assert canary.started_at < canary.ended_at
    assert canary.ended_at == stable.ended_at


def test_write__nothing_noted__says_only_that_this_process_counts(noted: Evidence, process: UUID) -> None:
    assert ServingProcess.objects.get(pk=process).counted_at is None
    assert flush(EvidenceWriter(process, noted)) == 0
    assert (totals(), ServingProcess.objects.get(pk=process).counted_at is None) == ((0, 0, 0), False)


def test_write__cut_off_in_the_middle__neither_arm_is_there(noted: Evidence, process: UUID) -> None:
    route, writer = route_to(start_rollout(make_endpoint("shop"))), EvidenceWriter(process, noted)
    note_both(noted, route)
    writer.cut()
    with refused("UPDATE"), pytest.raises(OperationalError):
        writer.write()
    assert totals() == (0, 0, 0)
    assert writer.write() == 2


def test_write__while_postgresql_is_away__keeps_every_count(noted: Evidence, process: UUID) -> None:
    route, writer = route_to(start_rollout(make_endpoint("shop"))), EvidenceWriter(process, noted)
    for n in range(1, 4):
        note_both(noted, route, n, finite=n != 2)
        with refused("INSERT"), pytest.raises(OperationalError):
            flush(writer)
    assert totals() == (0, 0, 0)
    assert writer.write() == 6
    assert totals() == (6, 12, 4)
    assert set(EvidenceWindow.objects.values_list("seq", flat=True)) == {1, 2, 3}
    assert flush(writer) == 0


def test_cut__more_flushes_than_may_wait__makes_the_next_one_longer(
    noted: Evidence, process: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.monitoring.evidence_writer.MOST_WAITING", 2)
    route, writer = route_to(start_rollout(make_endpoint("shop"))), EvidenceWriter(process, noted)
    for _ in range(5):
        note_both(noted, route)
        writer.cut()
    assert writer.write() == 4
    assert flush(writer) == 2
    assert totals() == (6, 10, 0)


def test_write__a_second_time_under_the_same_number__changes_nothing(process: UUID, db: None) -> None:
    route = route_to(start_rollout(make_endpoint("shop")))
    for _ in range(2):
        again = Evidence()
        note_both(again, route)
        flush(EvidenceWriter(process, again))
    assert totals() == (2, 2, 0)


def test_write__units__make_room_for_others_only_when_they_are_written(
    noted: Evidence, process: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.monitoring.evidence.MOST_UNITS", 1)
    route, writer = route_to(start_rollout(make_endpoint("shop"))), EvidenceWriter(process, noted)
    noted.note(route, "canary", 1, 422, "model_refused", 0.5)
    with refused("INSERT"), pytest.raises(OperationalError):
        flush(writer)
    noted.note(route, "canary", 2, 422, "model_refused", 0.5)
    flush(writer)
    noted.note(route, "canary", 3, 422, "model_refused", 0.5)
    flush(writer)
    rows = EvidenceWindow.objects.order_by("seq").values_list("units", "details__units_dropped")
    assert list(rows) == [([[1, 1, 1, 0.5]], None), ([], 1), ([[3, 1, 1, 0.5]], None)]


@pytest.mark.django_db(transaction=True)
def test_write__split_that_is_deleted__left_out_and_the_rest_kept(noted: Evidence) -> None:
    route, writer = route_to(start_rollout(make_endpoint("shop"))), EvidenceWriter(uuid4(), noted)
    note_both(noted, route)
    noted.note_dropped(2**40)
    flush(writer)
    assert totals() == (2, 2, 0)


# --- the thread -------------------------------------------------------------------------------------------------------


@pytest.fixture
def rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for its turn, so what is written was in a hurry."""
    monkeypatch.setattr(flushing, "WRITE_SECONDS", 3600.0)


@pytest.fixture
def telling(transactional_db: None, rare: None, noted: Evidence) -> Iterator[Flusher]:
    made = Flusher(process=uuid4(), observations=Observations(), evidence=noted)
    made.start()
    yield made
    made.stop()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_flusher__bad_answer_of_a_rollout__told_before_its_turn(telling: Flusher, noted: Evidence) -> None:
    route = route_to(start_rollout(make_endpoint("shop")))
    note_both(noted, route, n=3)
    time.sleep(0.3)
    assert totals() == (0, 0, 0)
    for n_bad in (1, 2):
        noted.note(route, "canary", None, 422, "model_refused", 0.5)
        until(lambda n_bad=n_bad: totals()[2] == n_bad)  # type: ignore[misc]
    assert totals()[1] == 8
    assert set(EvidenceWindow.objects.values_list("process", flat=True)) == {telling.id}


def test_flusher__stop__tells_what_is_left(telling: Flusher, noted: Evidence) -> None:
    note_both(noted, route_to(start_rollout(make_endpoint("shop"))))
    telling.stop()
    assert totals() == (2, 2, 0)


def test_flusher__postgresql_refuses__says_so_and_loses_nothing(noted: Evidence, process: UUID) -> None:
    flusher = Flusher(process=process, observations=Observations(), evidence=noted)
    note_both(noted, route_to(start_rollout(make_endpoint("shop"))))
    # Closing would end the test's own transaction.
    with pytest.MonkeyPatch.context() as patch, refused("INSERT"):
        patch.setattr(type(connection._connections["default"]), "close", lambda _self: None)
        assert not flusher.tell()
    assert totals() == (0, 0, 0)
    assert flusher.tell()
    assert totals() == (2, 2, 0)
