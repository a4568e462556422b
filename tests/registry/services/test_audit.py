"""The record: written with the act or not at all, never changed, and whoever changes it all the same is named."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from registry.access.principal import SYSTEM
from registry.models import AuditEvent, Project
from registry.services import audit
from tests import factories

pytestmark = pytest.mark.django_db
N_EVENTS = 8


@pytest.fixture
def events() -> list[int]:
    project = factories.make_project()
    made = []
    with transaction.atomic():
        for number in range(N_EVENTS):
            event = audit.record(SYSTEM, "test.act", project, project_id=project.pk, details={"n": number})
            made.append(event.pk)
    return made


@pytest.fixture
def unlocked() -> Iterator[None]:
    """What only somebody with the database in his hands can do: the trigger out of the way."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE registry_auditevent DISABLE TRIGGER append_only")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE registry_auditevent ENABLE TRIGGER append_only")


def complaint() -> str:
    with pytest.raises(CommandError) as caught:
        call_command("verify_audit", stdout=io.StringIO())
    return str(caught.value)


def test_verify__untouched__all_in_order(events: list[int]) -> None:
    out = io.StringIO()
    call_command("verify_audit", stdout=out)
    assert out.getvalue() == f"{AuditEvent.objects.count()} audit events, all in order.\n"


def test_verify__empty_record__in_order() -> None:
    assert audit.verify_chain() == audit.Verdict(0, None, "")


@pytest.mark.parametrize("field", ["action", "actor_name", "object_name", "reason", "request_id", "object_id", "mac"])
def test_verify__edited__named(events: list[int], unlocked: None, field: str) -> None:
    AuditEvent.objects.filter(pk=events[3]).update(**{field: "forged"})
    assert complaint().startswith(f"Audit event {events[3]}:")


def test_verify__details_or_time_edited__named(events: list[int], unlocked: None) -> None:
    AuditEvent.objects.filter(pk=events[5]).update(details={"n": 99})
    assert complaint().startswith(f"Audit event {events[5]}:")
    AuditEvent.objects.filter(pk=events[2]).update(at="2020-01-01T00:00:00Z")
    assert complaint().startswith(f"Audit event {events[2]}:")


def test_verify__first_or_middle_deleted__next_one_named(events: list[int], unlocked: None) -> None:
    AuditEvent.objects.filter(pk=events[4]).delete()
    assert complaint().startswith(f"Audit event {events[5]}:")
    AuditEvent.objects.filter(pk__lte=events[0]).delete()
    assert complaint().startswith(f"Audit event {events[1]}:")


def test_verify__reordered__named(events: list[int], unlocked: None) -> None:
    first, second = events[2], events[3]
    AuditEvent.objects.filter(pk=first).update(id=9**9)
    AuditEvent.objects.filter(pk=second).update(id=first)
    AuditEvent.objects.filter(pk=9**9).update(id=second)
    assert complaint().startswith(f"Audit event {first}:")


def test_verify__tail_cut_off__named(events: list[int], unlocked: None) -> None:
    AuditEvent.objects.filter(pk__gte=events[6]).delete()
    said = complaint()
    assert said.startswith(f"Audit event {events[5]}:")
    assert "the record ends here" in said


def test_verify__everything_cut_off__noticed(events: list[int], unlocked: None) -> None:
    AuditEvent.objects.all().delete()
    assert audit.verify_chain().problem != ""
    with pytest.raises(CommandError):
        call_command("verify_audit", stdout=io.StringIO())


def test_verify__with_another_key__does_not_fit(events: list[int], settings: object) -> None:
    settings.SECRET_KEY = "x" * 50  # type: ignore[attr-defined]
    assert audit.verify_chain().first_broken is not None


@pytest.mark.parametrize("act", ["update", "delete"])
def test_database__update_or_delete__refused(events: list[int], act: str) -> None:
    rows = AuditEvent.objects.filter(pk=events[0])
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        rows.update(reason="forged") if act == "update" else rows.delete()
    assert AuditEvent.objects.get(pk=events[0]).reason == ""


def test_record__act_rolled_back__no_event(events: list[int]) -> None:
    def act() -> None:
        audit.record(SYSTEM, "test.act", Project.objects.get())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        act()
    assert AuditEvent.objects.filter(action="test.act").count() == N_EVENTS
    assert audit.verify_chain().first_broken is None


@pytest.mark.parametrize("value", [1e16, 1e300, -1e300, -0.0, 0.0, 5e-324, 0.1, 2.0, float("inf"), 10**30, [(-0.0,)]])
def test_record__any_number_in_the_details__chain_holds(value: object) -> None:
    with transaction.atomic():
        audit.record(SYSTEM, "test.act", factories.make_project(), details={"deep": {"value": value}})
    assert audit.verify_chain().first_broken is None


def test_record__usual_numbers__stay_numbers() -> None:
    with transaction.atomic():
        event = audit.record(SYSTEM, "test.act", factories.make_project(), details={"a": 0.25, "b": 3, "c": 0.0})
    event.refresh_from_db()
    assert event.details == {"a": 0.25, "b": 3, "c": 0.0}
