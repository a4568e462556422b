from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection

from inference.models import Endpoint, MetricWindow
from inference.monitoring.exchange import Exchange
from inference.monitoring.flusher import Flusher
from inference.monitoring.histogram import bucket_of
from inference.monitoring.observe import Observations
from inference.monitoring.rollup import roll_up
from inference.monitoring.state import Gauges
from inference.monitoring.tally import Served
from inference.monitoring.windows import WindowWriter
from inference.selectors.traffic import traffic_of
from tests.factories import make_endpoint, split, version_of

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return make_endpoint("shop")


@pytest.fixture
def served(endpoint: Endpoint) -> Served:
    return Served(endpoint.pk, "shop", version_of(endpoint, 1).pk, 1, "stable")


@contextmanager
def database_away() -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(refuse):
        yield


def totals() -> tuple[int, int]:
    """(rows in PostgreSQL, good answers that they tell of)."""
    counts = list(MetricWindow.objects.values_list("n_ok", flat=True))
    return len(counts), sum(counts)


def test_write__what_was_counted__is_a_row_with_exact_figures(seen: Observations, served: Served) -> None:
    writer = WindowWriter(uuid4())
    seen.observe(served, 200, "", 0.5, 4, 0.125, 0.25, run_rows=8)
    seen.observe(served, 200, "", 0.5, 4, 0.125, 0.25, run_rows=0)
    for status, code in ((422, "model_refused"), (400, "wrong_shape"), (429, "rate_limited"), (503, "overloaded")):
        seen.observe(served, status, code, 0.5)
    writer.cut(seen.state())
    assert writer.write() == 1
    row = MetricWindow.objects.get()
    assert (row.endpoint_id, row.version_id, row.variant) == (served.endpoint_id, served.version_id, "stable")
    assert (row.n_ok, row.n_caller_errors, row.n_model_errors, row.n_rejected) == (2, 1, 1, 2)
    assert (row.n_rows, row.n_runs) == (8, 1)
    assert (row.seconds, row.queue_seconds, row.run_seconds) == (1.0, 0.25, 0.25)
    assert row.latency == {str(bucket_of(0.5)): 2}
    assert row.started_at < row.ended_at


def test_write__nothing_new__writes_nothing(seen: Observations, served: Served) -> None:
    writer = WindowWriter(uuid4())
    seen.observe(served, 200, "", 0.5)
    for _ in range(3):
        writer.cut(seen.state())
        writer.write()
    assert totals() == (1, 1)


def test_write__while_postgresql_is_away__keeps_every_count(seen: Observations, served: Served) -> None:
    writer = WindowWriter(uuid4())
    for n in range(1, 4):
        for _ in range(n):
            seen.observe(served, 200, "", 0.5)
        writer.cut(seen.state())
        with database_away(), pytest.raises(OperationalError):
            writer.write()
    assert totals() == (0, 0)
    assert writer.write() == 3
    assert totals() == (3, 6)


def test_cut__more_windows_than_may_wait__makes_the_next_one_longer(
    seen: Observations, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.monitoring.windows.MOST_WAITING", 2)
    writer = WindowWriter(uuid4())
    for _ in range(5):
        seen.observe(served, 200, "", 0.5)
        writer.cut(seen.state())
    assert writer.write() == 2
    writer.cut(seen.state())
    writer.write()
    assert totals() == (3, 5)


def test_write__a_second_time_under_the_same_number__changes_nothing(seen: Observations, served: Served) -> None:
    process = uuid4()
    seen.observe(served, 200, "", 0.5)
    for _ in range(2):
        writer = WindowWriter(process)
        writer.cut(seen.state())
        writer.write()
    assert totals() == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_write__of_what_is_deleted__leaves_it_out_and_keeps_the_rest(seen: Observations) -> None:
    endpoint = make_endpoint("shop")
    served = Served(endpoint.pk, "shop", version_of(endpoint, 1).pk, 1, "stable")
    writer = WindowWriter(uuid4())
    seen.observe(served, 200, "", 0.5)
    seen.observe(served._replace(endpoint_id=2**40), 200, "", 0.5)
    seen.observe(served._replace(version_id=2**40), 200, "", 0.5)
    writer.cut(seen.state())
    writer.write()
    assert totals() == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_flusher__from_start_to_stop__tells_others_and_postgresql(seen: Observations, tmp_path: Path) -> None:
    endpoint = make_endpoint("shop")
    served = Served(endpoint.pk, "shop", version_of(endpoint, 1).pk, 1, "stable")
    flusher = Flusher(lambda: Gauges(in_flight=3), observations=seen, place=tmp_path)
    flusher.publish()
    (gauges,) = Exchange(tmp_path).read().gauges.values()
    assert gauges.in_flight == 3
    assert gauges.memory_bytes > 1_000_000
    flusher.start()
    seen.observe(served, 200, "", 0.5)
    flusher.stop()
    state = Exchange(tmp_path).read()
    assert (state.tallies[served].n_ok, state.gauges, totals()) == (1, {}, (1, 1))


def test_flusher__postgresql_refuses__says_so_and_goes_on(seen: Observations, served: Served, tmp_path: Path) -> None:
    flusher = Flusher(observations=seen, place=tmp_path)
    seen.observe(served, 200, "", 0.5)
    # Closing would end the test's own transaction.
    with pytest.MonkeyPatch.context() as patch, database_away():
        patch.setattr(type(connection._connections["default"]), "close", lambda _self: None)
        assert not flusher.write()
    assert flusher.write()
    assert totals() == (1, 1)


# --- rolling up -------------------------------------------------------------------------------------------------------


def flush(served: Served, ended_at: datetime, n_ok: int, seconds: float = 0.5, seq: int = 0, **facts: int) -> None:
    MetricWindow.objects.create(
        process=UUID(int=7),
        seq=seq or int(ended_at.timestamp() * 1000),
        endpoint_id=served.endpoint_id,
        version_id=served.version_id,
        variant=served.variant,
        started_at=ended_at - timedelta(seconds=2),
        ended_at=ended_at,
        n_ok=n_ok,
        n_rows=n_ok * 2,
        seconds=n_ok * seconds,
        latency={str(bucket_of(seconds)): n_ok} if n_ok else {},
        **facts,
    )


def kept(resolution: int) -> list[tuple[datetime, int, dict[str, int]]]:
    rows = MetricWindow.objects.filter(resolution=resolution).order_by("started_at", "variant")
    return list(rows.values_list("started_at", "n_ok", "latency"))


def test_roll_up__flushes_of_more_than_an_hour__become_minutes(served: Served) -> None:
    flush(served, NOON + timedelta(seconds=10), 3, 0.5, n_rejected=1)
    flush(served, NOON + timedelta(seconds=20), 4, 1.5, n_rejected=1)
    flush(served, NOON + timedelta(seconds=60), 5, 0.5)
    flush(served, NOON + timedelta(seconds=62), 0, n_model_errors=6)
    flush(served, NOON + timedelta(minutes=30), 7)
    roll_up(NOON + timedelta(minutes=70, seconds=30))
    half, long = str(bucket_of(0.5)), str(bucket_of(1.5))
    assert kept(60) == [(NOON, 12, {half: 8, long: 4}), (NOON + timedelta(minutes=1), 0, {})]
    assert kept(0) == [(NOON + timedelta(minutes=30, seconds=-2), 7, {half: 7})]
    first, second = MetricWindow.objects.filter(resolution=60).order_by("started_at")
    assert (first.ended_at, first.n_rows, first.n_rejected, first.seconds) == (NOON + timedelta(minutes=1), 24, 2, 10.0)
    assert second.n_model_errors == 6


def test_roll_up__again_and_after_a_late_row__adds_each_row_once(served: Served) -> None:
    for n_ok, second in ((3, 10), (4, 20)):
        flush(served, NOON + timedelta(seconds=second), n_ok, 0.5 if n_ok == 3 else 1.5)
        for _ in range(2):
            roll_up(NOON + timedelta(hours=2))
    assert kept(60) == [(NOON, 7, {str(bucket_of(0.5)): 3, str(bucket_of(1.5)): 4})]


def test_roll_up__variants__stay_apart(served: Served) -> None:
    flush(served, NOON + timedelta(seconds=10), 3)
    flush(served._replace(variant="canary"), NOON + timedelta(seconds=10), 4, seq=1)
    roll_up(NOON + timedelta(hours=2))
    assert [n_ok for _at, n_ok, _latency in kept(60)] == [4, 3]


def test_roll_up__minutes_of_more_than_a_week__become_hours_for_ninety_days(served: Served) -> None:
    flush(served, NOON + timedelta(seconds=10), 3)
    flush(served, NOON + timedelta(minutes=20), 4)
    roll_up(NOON + timedelta(days=8))
    assert [(at, n_ok) for at, n_ok, _latency in kept(3600)] == [(NOON, 7)]
    assert kept(0) == kept(60) == []
    roll_up(NOON + timedelta(days=92))
    assert totals() == (0, 0)


# --- what the page asks -----------------------------------------------------------------------------------------------


def test_traffic_of__two_arms__rates_errors_and_quantiles(endpoint: Endpoint, served: Served) -> None:
    split(endpoint, 1_000)
    canary = served._replace(version_id=version_of(endpoint, 2).pk, version=2, variant="canary")
    for position in range(30):
        ended_at = NOON - timedelta(seconds=2 * position)
        flush(served, ended_at, 20, 0.5)
        flush(canary, ended_at, 2, 1.5, seq=1_000 + position, n_model_errors=2, n_rejected=1, n_caller_errors=1)
    traffic = traffic_of(endpoint, now=NOON + timedelta(seconds=3))
    stable_arm, canary_arm = sorted(traffic.arms, key=lambda arm: arm.version)
    assert (stable_arm.variant, stable_arm.n_ok, stable_arm.error_share) == ("stable", 600, 0.0)
    assert (canary_arm.variant, canary_arm.n_rejected, canary_arm.error_share) == ("canary", 30, 0.5)
    assert (stable_arm.rate, canary_arm.rate) == pytest.approx((10.0, 3.0))
    assert traffic.rows_per_second(stable_arm) == 20.0
    assert canary_arm.latencies.p50 == pytest.approx(1.5, rel=0.01)
    assert stable_arm.rates[-12:] == pytest.approx([10.0] * 12)
    assert sum(stable_arm.rates[:-12]) == 0
    assert (len(traffic.steps), traffic.steps[-1]) == (120, NOON)
    assert traffic.latencies[-1].p99 == pytest.approx(1.5, rel=0.01)


def test_traffic_of__no_window__is_empty(endpoint: Endpoint) -> None:
    traffic = traffic_of(endpoint)
    assert (traffic.is_empty, traffic.arms, traffic.latencies[0].p50) == (True, [], None)
