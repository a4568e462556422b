"""Deaths are written down once; too many in a short time lock the version away, once."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import connection, transaction
from structlog.testing import capture_logs

from inference.models import Endpoint, Quarantine, RoutingState, RuntimeDeath, SplitActivation
from inference.quarantine.services import quarantine, record_death
from inference.runtime.deaths import Death
from registry.models import AuditEvent, VersionStatus
from registry.services.audit import verify_chain
from tests import factories
from tests.inference.quarantine.killed import death_of, kill

db = pytest.mark.django_db
THREADS = 8


def together(deaths: list[Death]) -> None:
    def report(death: Death) -> None:
        try:
            record_death(death)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(report, deaths))


def somebody_waits() -> bool:
    """Whether a connection to PostgreSQL waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@db
def test_death__reported__written_with_all_that_is_known() -> None:
    version = factories.make_version(factories.make_model())
    death = death_of(version, cause="out_of_memory", signal="SIGKILL", isolated=False, pid=99)
    record_death(death)
    row = RuntimeDeath.objects.get()
    assert (row.version, row.cause, row.signal, row.isolated) == (version, "out_of_memory", "SIGKILL", False)
    assert (row.host, row.pid, row.at.timestamp()) == (socket.gethostname(), 99, pytest.approx(death.at))
    assert not Quarantine.objects.exists()


@db
def test_death__reported_again__counts_once() -> None:
    version = factories.make_version(factories.make_model())
    death = death_of(version, signal="")._replace(key="k" * 200)
    record_death(death)
    record_death(death)
    assert (RuntimeDeath.objects.count(), Quarantine.objects.count()) == (1, 0)


@db
def test_deaths__two_in_ten_minutes__quarantined_with_the_reason_and_the_record() -> None:
    version = factories.make_version(factories.make_model("shaky"))
    record_death(death_of(version, ago=590))
    record_death(death_of(version, cause="hung", signal=""))
    row = Quarantine.objects.get()
    assert row.reason == "It killed its process 2 times within 10 min: crashed (SIGSEGV), hung."
    event = AuditEvent.objects.get()
    assert (event.action, event.object_name, event.actor_name, event.reason) == (
        "version.quarantined",
        "shaky v1",
        "system",
        row.reason,
    )
    assert [(death["cause"], death["signal"], death["pid"]) for death in event.details["deaths"]] == [
        ("hung", "", 4711),
        ("crashed", "SIGSEGV", 4711),
    ]


@db
@pytest.mark.parametrize("second", [-610.0, 610.0])
def test_deaths__further_apart_than_ten_minutes__not_quarantined(second: float) -> None:
    version = factories.make_version(factories.make_model())
    record_death(death_of(version))
    record_death(death_of(version, ago=second))
    assert (RuntimeDeath.objects.count(), Quarantine.objects.count()) == (2, 0)


@db
def test_deaths__limit_of_three__counts_those_within_one_span_only(settings: Any) -> None:
    settings.PORTAL_QUARANTINE_DEATHS = 3
    version = factories.make_version(factories.make_model())
    for ago in (1100, 550, 0):
        record_death(death_of(version, ago=ago))
    assert not Quarantine.objects.exists()
    record_death(death_of(version, ago=500))
    assert "3 times" in Quarantine.objects.get().reason


@db
def test_deaths__same_bytes_in_two_models__both_quarantined_but_no_archived_one() -> None:
    one, other, old = (factories.make_version(factories.make_model(), 5.0) for _ in range(3))
    old.status = VersionStatus.ARCHIVED
    old.save()
    kill(one)
    assert set(Quarantine.objects.values_list("version", flat=True)) == {one.pk, other.pk}
    assert RuntimeDeath.objects.count() == 4


@db
def test_deaths__after_the_quarantine__written_but_nothing_more_happens() -> None:
    version = factories.make_version(factories.make_model())
    kill(version, 2)
    sequence = RoutingState.objects.get().sequence
    kill(version, 1)
    assert (RuntimeDeath.objects.count(), Quarantine.objects.count(), AuditEvent.objects.count()) == (3, 1, 1)
    assert RoutingState.objects.get().sequence == sequence


@db
def test_death__of_unknown_bytes__changes_nothing() -> None:
    version = factories.make_version(factories.make_model())
    record_death(death_of(version)._replace(sha256="0" * 64))
    assert not RuntimeDeath.objects.exists()


@db
def test_quarantine__every_endpoint_of_the_model__learns_of_it() -> None:
    endpoint = factories.make_endpoint(n_versions=2, promoted=1)
    other = factories.make_endpoint(promoted=1)
    seen = other.changed_sequence
    quarantine(factories.version_of(endpoint, 2), "a test")
    endpoint.refresh_from_db()
    other.refresh_from_db()
    assert endpoint.changed_sequence == RoutingState.objects.get().sequence
    assert (endpoint.epoch, other.changed_sequence) == (1, seen)


@pytest.mark.django_db(transaction=True)
def test_deaths__eight_processes_at_once__one_quarantine_one_fall_back_one_line_of_history() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    endpoint = factories.split(endpoint, 1_000)
    version = factories.version_of(endpoint, 2)
    together([death_of(version) for _ in range(THREADS)])
    assert (RuntimeDeath.objects.count(), Quarantine.objects.count()) == (THREADS, 1)
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == 3
    moves = SplitActivation.objects.order_by("epoch").values_list("epoch", "kind", "split__revision")
    assert list(moves) == [(1, "promote", 1), (2, "split", 2), (3, "fallback", 1)]
    assert AuditEvent.objects.filter(action__in=["version.quarantined", "endpoint.fell_back"]).count() == 2
    assert verify_chain().first_broken is None


@pytest.mark.django_db(transaction=True)
def test_deaths__two_transactions_that_do_not_see_each_other__quarantined_all_the_same() -> None:
    version = factories.make_version(factories.make_model())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record_death(death_of(version))
            second = pool.submit(together, [death_of(version)])
            while not (second.done() or somebody_waits()):
                wait([second], timeout=0.01)
        second.result(timeout=30)
    assert Quarantine.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_death__reported_by_eight_processes_at_once__counts_once() -> None:
    version = factories.make_version(factories.make_model())
    together([death_of(version)] * THREADS)
    assert (RuntimeDeath.objects.count(), Quarantine.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_quarantine__committed__rings_the_alarm_and_notes_how_the_processes_followed() -> None:
    endpoint = factories.split(factories.make_endpoint("shop", promoted=1), 1_000)
    with capture_logs() as logs:
        kill(factories.version_of(endpoint, 2))
    alarm = next(entry for entry in logs if entry["event"] == "version_quarantined")
    assert (alarm["log_level"], alarm["version"], alarm["fell_back"]) == ("error", "shop v2", ["shop"])
    moved = SplitActivation.objects.get(kind="fallback")
    assert (moved.n_processes, moved.n_acknowledged) == (0, 0)
