"""What the rules of a project archive and delete, and what they spare."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.endpoints.switching import promote
from inference.models import Endpoint, MetricWindow, SplitActivation, WarmRequest
from portal.lib.errors import InvalidInput, NotAllowed
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion, Project, RegisteredModel, VersionStatus
from registry.services.aliases import set_alias
from registry.services.deletion import archive_version, delete_version
from registry.services.projects import edit_project
from registry.services.retention import apply, apply_all, check_rules, preview
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def aged(version: ModelVersion, days: float, **facts: Any) -> ModelVersion:
    ModelVersion.objects.filter(pk=version.pk).update(created_at=timezone.now() - timedelta(days=days), **facts)
    return version


def versions(model: RegisteredModel, n: int, days: float) -> list[ModelVersion]:
    return [aged(factories.make_version(model, float(number)), days) for number in range(1, n + 1)]


def acts(project: Project, **rules: int) -> list[tuple[str, int, str]]:
    return [(item.act, item.version.number, item.rule) for item in preview(project, rules).planned]


def test_rejected_days__only_older_rejected_ones__are_deleted(project: Project) -> None:
    model = factories.make_model("m")
    aged(factories.make_version(model, 1.0, status=VersionStatus.REJECTED), 31)
    aged(factories.make_version(model, 2.0, status=VersionStatus.REJECTED), 29)
    aged(factories.make_version(model, 3.0), 31)
    assert acts(project, rejected_days=30) == [("delete", 1, "rejected_days")]
    assert acts(project) == []


def test_archived_days__counts_from_the_archiving(project: Project) -> None:
    model = factories.make_model("m")
    for number, days in ((1, 8), (2, 6)):
        version = aged(factories.make_version(model, float(number)), 100)
        archive_version(SYSTEM, version)
        ModelVersion.objects.filter(pk=version.pk).update(archived_at=timezone.now() - timedelta(days=days))
    assert acts(project, archived_days=7) == [("delete", 1, "archived_days")]


def test_unserved_days__spares_the_newest_ready_ones_of_each_model(project: Project) -> None:
    versions(factories.make_model("a"), 4, days=50)
    versions(factories.make_model("b"), 1, days=50)
    aged(factories.make_version(factories.make_model("c")), 1)
    planned = preview(project, {"unserved_days": 30, "keep_last": 2}).planned
    assert [str(item.version) for item in planned] == ["a v1", "a v2"]
    assert planned[0].sentence == "Retention: ready, and not used for 30 days."
    assert len(acts(project, unserved_days=30)) == 5


def test_unserved_days__what_is_used_or_was_lately__is_spared(project: Project) -> None:
    endpoint = factories.make_endpoint("shop", n_versions=6)
    for version in ModelVersion.objects.filter(model=endpoint.model):
        aged(version, 50)
    set_alias(SYSTEM, factories.version_of(endpoint, 2), "champion")
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 3), reason="a test")
    promote(SYSTEM, Endpoint.objects.get(), factories.version_of(endpoint, 4), reason="a test")
    promote(SYSTEM, Endpoint.objects.get(), factories.version_of(endpoint, 5), reason="a test")
    WarmRequest.objects.all().delete()
    # 1 and 3 lost their traffic a moment ago, 4 is what rolling back leads to, 5 is live.
    assert acts(project, unserved_days=30) == [("archive", 6, "unserved_days")]
    now = timezone.now()
    facts = {"process": "00000000-0000-0000-0000-000000000001", "endpoint": endpoint, "variant": "stable"}
    called = MetricWindow.objects.create(
        seq=1, version=factories.version_of(endpoint, 6), started_at=now, ended_at=now, n_ok=1, **facts
    )
    assert acts(project, unserved_days=30) == []
    MetricWindow.objects.filter(pk=called.pk).update(ended_at=now - timedelta(days=31))
    assert acts(project, unserved_days=30) == [("archive", 6, "unserved_days")]


def test_apply__does_what_the_preview_shows_as_the_system_with_the_rule_as_reason(project: Project) -> None:
    model = factories.make_model("m")
    aged(factories.make_version(model, 1.0, status=VersionStatus.REJECTED), 31)
    versions(model, 3, days=50)
    rules = {"rejected_days": 30, "unserved_days": 30, "keep_last": 1}
    edit_project(factories.principal("olga", "owner"), project, {"retention": rules})
    shown = [(item.act, item.version.number) for item in preview(Project.objects.get()).planned]
    assert shown == [("delete", 1), ("archive", 2), ("archive", 3)]
    assert apply_all() == 3
    events = AuditEvent.objects.exclude(action="project.edited").order_by("id")
    assert [(event.action, event.object_name, event.actor_name, event.reason) for event in events] == [
        ("version.deleted", "m v1", "system", "Retention: rejected more than 30 days ago."),
        ("version.archived", "m v2", "system", "Retention: ready, and not used for 30 days."),
        ("version.archived", "m v3", "system", "Retention: ready, and not used for 30 days."),
    ]
    assert apply(Project.objects.get()) == 0


def test_apply__other_projects__are_not_touched(project: Project) -> None:
    other = factories.make_project("other")
    aged(factories.make_version(factories.make_model("m", other), status=VersionStatus.REJECTED), 99)
    Project.objects.filter(pk=project.pk).update(retention={"rejected_days": 1})
    assert apply_all() == 0


def test_preview__bytes__only_those_that_nothing_else_refers_to(project: Project) -> None:
    model = factories.make_model("m")
    alone = aged(factories.make_version(model, 1.0, status=VersionStatus.REJECTED), 9)
    shared = aged(factories.make_version(model, 2.0, status=VersionStatus.REJECTED), 9)
    twin = factories.make_version(factories.make_model("n"), 2.0)
    assert twin.sha256 == shared.sha256
    found = preview(project, {"rejected_days": 7})
    assert ([item.version.number for item in found.planned], found.n_bytes) == ([1, 2], alone.size)
    delete_version(SYSTEM, twin, reason="a test")
    assert preview(project, {"rejected_days": 7}).n_bytes == alone.size + shared.size


def test_last_used__of_a_version_that_is_live__is_not_its_promotion(project: Project) -> None:
    endpoint = factories.make_endpoint("shop")
    assert SplitActivation.objects.count() == 1
    aged(factories.version_of(endpoint, 1), 50)
    assert acts(project, unserved_days=30) == []


@pytest.mark.parametrize(
    "rules",
    [
        [],
        "x",
        {"days": 3},
        {"rejected_days": 0},
        {"rejected_days": 3651},
        {"rejected_days": True},
        {"rejected_days": "3"},
        {"rejected_days": 1.5},
        {"keep_last": -1, "unserved_days": 3},
        {"keep_last": 3},
    ],
)
def test_rules__wrong_ones__are_refused(rules: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_rules(rules)
    assert (caught.value.code, caught.value.details) == ("invalid_retention", {"field": "retention"})


def test_rules__none_is_off() -> None:
    assert check_rules({"rejected_days": None, "archived_days": 5}) == {"archived_days": 5}


def test_edit_project__an_owner__sets_rules_and_policy_but_no_limits(project: Project) -> None:
    owner = factories.principal("olga", "owner")
    changed = edit_project(owner, project, {"signature_policy": "warn", "quota_bytes": None})
    assert changed.signature_policy == "warn"
    with pytest.raises(NotAllowed) as caught:
        edit_project(owner, project, {"quota_bytes": 10, "signature_policy": "require"})
    assert (caught.value.code, caught.value.details) == ("administrator_only", {"fields": ["quota_bytes"]})
    assert Project.objects.get().signature_policy == "warn"
    assert edit_project(SYSTEM, project, {"quota_bytes": 10}).quota_bytes == 10
    event = AuditEvent.objects.get(actor_name="system")
    assert event.details == {"before": {"quota_bytes": None}, "after": {"quota_bytes": 10}}
    with pytest.raises(NotAllowed):
        edit_project(factories.principal("alice", "operator"), project, {"signature_policy": "off"})


@pytest.mark.parametrize(
    "changes",
    [{"quota_bytes": 0}, {"quota_bytes": "5"}, {"max_upload_bytes": True}, {"signature_policy": "maybe"}],
)
def test_edit_project__wrong_values__are_refused(project: Project, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        edit_project(SYSTEM, project, changes)
    assert caught.value.details["field"] == next(iter(changes))
