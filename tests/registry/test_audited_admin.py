"""What the back office changes stands on the audit record: with which role somebody was let in, and by whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from registry.models import AuditEvent, Membership, Project, User
from registry.services import audit
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(factories.make_user("root", is_staff=True, is_superuser=True))
    return client


def events() -> list[tuple[str, str, str, dict[str, Any]]]:
    rows = AuditEvent.objects.order_by("id")
    return [(row.action, row.actor_name, row.object_name, row.details) for row in rows]


def send_project(root: Client, project: Project, *members: dict[str, Any]) -> None:
    n_there = sum("id" in member for member in members)
    form: dict[str, Any] = {
        "slug": project.slug,
        "name": project.name,
        "signature_policy": "off",
        "retention": "{}",
        "memberships-TOTAL_FORMS": len(members),
        "memberships-INITIAL_FORMS": n_there,
    }
    for number, member in enumerate(members):
        form |= {f"memberships-{number}-{key}": value for key, value in member.items()}
        form[f"memberships-{number}-project"] = project.pk
    answer = root.post(f"/admin/registry/project/{project.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()[:5000]


def test_membership__granted_changed_and_revoked__each_with_the_role_before_and_after(root: Client) -> None:
    project, anna = factories.make_project("risk"), factories.make_user("anna")
    send_project(root, project, {"user": anna.pk, "role": "viewer"})
    member = Membership.objects.get()
    there = {"id": member.pk, "user": anna.pk}
    send_project(root, project, {**there, "role": "owner"})
    send_project(root, project, {**there, "role": "owner", "DELETE": "on"})
    assert not Membership.objects.exists()
    who = {"user": "anna", "user_id": anna.pk}
    found = [event for event in events() if event[0].startswith("membership.")]
    assert found == [
        ("membership.granted", "root", "risk", {**who, "role": "viewer"}),
        (
            "membership.changed",
            "root",
            "risk",
            {**who, "role": "owner", "before": {"user_id": anna.pk, "role": "viewer"}},
        ),
        ("membership.revoked", "root", "risk", {**who, "role": "owner"}),
    ]
    assert {row.project_id for row in AuditEvent.objects.filter(action__startswith="membership.")} == {project.pk}
    assert audit.verify_chain().first_broken is None


def test_user__made_and_given_rights_and_a_password__on_the_record_without_the_password(root: Client) -> None:
    secret = "a-long-passw0rd"
    form = {"username": "bert", "usable_password": "true", "password1": secret, "password2": secret}
    assert root.post("/admin/registry/user/add/", form).status_code == 302
    bert, auditors = User.objects.get(username="bert"), Group.objects.get_or_create(name="auditor")[0]
    form = {
        "username": "bert",
        "is_active": "on",
        "is_staff": "on",
        "groups": auditors.pk,
        "date_joined_0": "2026-01-01",
    }
    form["date_joined_1"] = "10:00:00"
    answer = root.post(f"/admin/registry/user/{bert.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()[:5000]
    form = {"usable_password": "true", "password1": secret + "2", "password2": secret + "2"}
    assert root.post(f"/admin/registry/user/{bert.pk}/password/", form).status_code == 302
    made, changed, password = (event for event in events() if event[0].startswith("user."))
    assert made[:3] == ("user.created", "root", "bert")
    assert changed[0] == "user.edited"
    assert changed[3]["groups"] == ["auditor"]
    assert (changed[3]["is_staff"], changed[3]["is_superuser"]) == (True, False)
    assert "Groups" in changed[3]["fields"]
    assert password[3]["fields"] == ["password"]
    assert secret not in str(list(AuditEvent.objects.values_list("details", flat=True)))


def test_user__deleted_one_by_one_or_by_the_list__on_the_record(root: Client) -> None:
    one, two = factories.make_user("one"), factories.make_user("two")
    root.post(f"/admin/registry/user/{one.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": two.pk, "post": "yes"}
    root.post("/admin/registry/user/", chosen)
    assert [(name, who) for action, who, name, _details in events() if action == "user.deleted"] == [
        ("one", "root"),
        ("two", "root"),
    ]
    assert not User.objects.filter(username__in=["one", "two"]).exists()
