"""Archive, restore, delete, and a project's settings, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEvent, ModelVersion, Project, User, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def olga() -> User:
    return factories.make_user("olga", "owner")


@pytest.fixture
def call(client: Client, olga: User) -> Call:
    return caller(client, olga)


def caller(client: Client, user: User) -> Call:
    _row, secret = factories.token_for(user)

    def ask(method: str, path: str, body: Any = None) -> Any:
        facts = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        headers = {"Authorization": f"Bearer {secret}"}
        return getattr(client, method.lower())(f"/api/v1/{path}", headers=headers, **facts)

    return ask


def test_version__archived_restored_deleted(call: Call) -> None:
    factories.make_version(factories.make_model("m"))
    archived = call("POST", "models/m/versions/1/archive", {"reason": "old"})
    assert (archived.status_code, archived.json()["status"]) == (200, "archived")
    assert call("POST", "models/m/versions/1/archive", {}).status_code == 200
    restored = call("POST", "models/m/versions/1/restore", {"reason": "needed"})
    assert (restored.status_code, restored.json()["status"]) == (200, "ready")
    for body in (None, {}, {"reason": " "}):
        refused = call("DELETE", "models/m/versions/1", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "reason_required")
    assert call("DELETE", "models/m/versions/1", {"reason": "a leak"}).status_code == 204
    assert call("GET", "models/m/versions/1").status_code == 404
    assert call("GET", "models/m/versions/1/download").status_code == 404
    assert call("GET", "models/m/versions").json()["results"] == []
    assert call("PUT", "models/m/aliases/champion", {"version": 1}).status_code == 404
    assert AuditEvent.objects.get(action="version.deleted").reason == "a leak"


def test_model__newest_version_deleted__latest_is_the_one_before(call: Call) -> None:
    model = factories.make_model("m")
    said = lambda: (call("GET", "models/m").json()["latest_version"], call("GET", "models").json()["results"])  # noqa: E731
    for number in (1, 2, 3):
        factories.make_version(model, float(number))
    assert said()[0] == 3
    for gone, left in ((3, 2), (1, 2), (2, 0)):
        assert call("DELETE", f"models/m/versions/{gone}", {"reason": "a leak"}).status_code == 204
        one, listed = said()
        assert (one, [row["latest_version"] for row in listed]) == (left, [left])


def test_version__in_use__409_names_by_whom(call: Call) -> None:
    factories.make_endpoint("shop")
    refused = call("DELETE", "models/shop/versions/1", {"reason": "x"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (409, "in_use")
    assert {"kind": "endpoint", "name": "shop", "live": True} in error["details"]["used_by"]
    assert error["message"].startswith("Version 1 is in use: endpoint “shop” serves it: promote another version")


def test_model__deleted_with_and_without_a_body(call: Call) -> None:
    factories.make_model("a")
    factories.make_model("b")
    assert call("DELETE", "models/a").status_code == 204
    assert call("DELETE", "models/b", {"reason": "mistake"}).status_code == 204
    assert call("GET", "models").json()["results"] == []
    reasons = AuditEvent.objects.filter(action="model.deleted").order_by("id").values_list("reason", flat=True)
    assert list(reasons) == ["", "mistake"]
    assert call("POST", "models", {"name": "a"}).status_code == 201


def test_project__read_and_set_by_its_owner(call: Call) -> None:
    version = factories.make_version(factories.make_model("m"))
    shown = call("GET", "projects/default").json()
    assert (shown["kept_bytes"], shown["quota_bytes"], shown["retention"]) == (version.size, None, {})
    body = {"signature_policy": "require", "retention": {"rejected_days": 30, "archived_days": None}}
    changed = call("PUT", "projects/default", body)
    assert changed.status_code == 200
    assert (changed.json()["signature_policy"], changed.json()["retention"]) == ("require", {"rejected_days": 30})
    assert call("PUT", "projects/default", {"retention": {}}).json()["signature_policy"] == "require"
    assert [row["slug"] for row in call("GET", "projects").json()["results"]] == ["default"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"quota_bytes": 5}, 403, "administrator_only"),
        ({"retention": {"rejected_days": 0}}, 400, "invalid_retention"),
        ({"retention": {"keep_last": 3}}, 400, "invalid_retention"),
        ({"signature_policy": ["warn"]}, 400, "invalid_input"),
        ({"slug": "mine"}, 400, "invalid_input"),
        ([], 400, "invalid_json"),
    ],
)
def test_project__wrong_settings__say_why(call: Call, body: Any, status: int, code: str) -> None:
    refused = call("PUT", "projects/default", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_project__limits__are_set_by_a_superuser(client: Client) -> None:
    factories.make_project()
    root = caller(client, factories.make_user("root", is_superuser=True))
    answer = root("PUT", "projects/default", {"quota_bytes": 1000, "max_upload_bytes": 10})
    assert (answer.json()["quota_bytes"], answer.json()["largest_upload_bytes"]) == (1000, 10)


def test_preview__by_the_projects_rules_or_by_those_asked_for(call: Call) -> None:
    version = factories.make_version(factories.make_model("m"), status=VersionStatus.REJECTED)
    ModelVersion.objects.update(created_at=timezone.now() - timedelta(days=10))
    assert call("GET", "projects/default/retention/preview").json() == {"planned": [], "freed_bytes": 0, "more": False}
    asked = call("GET", "projects/default/retention/preview?rejected_days=7").json()
    assert asked["freed_bytes"] == version.size
    assert asked["planned"] == [
        {
            "model": "m",
            "version": 1,
            "status": "rejected",
            "size": version.size,
            "act": "delete",
            "rule": "rejected_days",
            "reason": "Retention: rejected more than 7 days ago.",
        }
    ]
    Project.objects.update(retention={"rejected_days": 7})
    assert call("GET", "projects/default/retention/preview").json() == asked
    for wrong in ("rejected_days=x", "rejected_days=0", "keep_last=2", "rejected_days=-1"):
        assert call("GET", f"projects/default/retention/preview?{wrong}").status_code == 400


def test_project__a_stranger__finds_nothing(client: Client) -> None:
    factories.make_project()
    charlie = caller(client, factories.make_user("charlie"))
    assert charlie("GET", "projects").json()["results"] == []
    for path in ("projects/default", "projects/default/retention/preview", "projects/no"):
        assert charlie("GET", path).status_code == 404
