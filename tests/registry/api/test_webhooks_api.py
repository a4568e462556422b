"""`/api/v1/webhooks` over HTTP: shapes, and the secret that is shown once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from registry.models import Delivery, Webhook
from registry.notifications.sealing import unseal
from tests import factories

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
URL = "https://hooks.example.org/a"


@pytest.fixture
def call(client: Client) -> Call:
    _row, secret = factories.token_for(factories.make_user("olga", "owner"))

    def ask(method: str, path: str, body: Any = None) -> Any:
        sent = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        return getattr(client, method.lower())(f"/api/v1{path}", headers={"Authorization": f"Bearer {secret}"}, **sent)

    return ask


def test_webhook__made__secret_in_this_answer_only(call: Call) -> None:
    made = call("POST", "/webhooks", {"url": URL, "events": ["rollout.held"], "description": "chat"})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    body = made.json()
    assert unseal(Webhook.objects.get().secret) == body["secret"]
    shown = call("GET", f"/webhooks/{body['id']}")
    assert shown.json() == {key: value for key, value in body.items() if key != "secret"}
    assert shown.json() == {
        "id": body["id"],
        "project": "default",
        "url": URL,
        "events": ["rollout.held"],
        "description": "chat",
        "is_active": True,
        "created_by": "olga",
        "created_at": body["created_at"],
        "disabled_at": None,
    }
    assert call("GET", "/webhooks").json()["results"] == [shown.json()]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_input"),
        ({"url": "http://10.0.0.1/"}, 400, "address_refused"),
        ({"url": URL, "events": ["no"]}, 400, "unknown_event"),
        ({"url": URL, "project": "elsewhere"}, 404, "not_found"),
    ],
)
def test_webhook__bad_body__said_in_one_code(call: Call, body: Any, status: int, code: str) -> None:
    factories.make_project("elsewhere")
    answer = call("POST", "/webhooks", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert Webhook.objects.count() == 0


def test_webhook__changed_and_deleted__as_asked(call: Call) -> None:
    pk = call("POST", "/webhooks", {"url": URL}).json()["id"]
    changed = call("PATCH", f"/webhooks/{pk}", {"is_active": False, "events": ["rollout.held"]})
    assert (changed.status_code, changed.json()["is_active"], changed.json()["url"]) == (200, False, URL)
    assert changed.json()["disabled_at"] is not None
    refused = call("DELETE", f"/webhooks/{pk}", {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "reason_required")
    assert call("DELETE", f"/webhooks/{pk}", {"reason": "gone"}).status_code == 204
    assert call("GET", f"/webhooks/{pk}").status_code == 404


def test_deliveries__listed_and_replayed(call: Call) -> None:
    pk = call("POST", "/webhooks", {"url": URL}).json()["id"]
    call("PATCH", f"/webhooks/{pk}", {"description": "x"})
    hook = Webhook.objects.get()
    notification = hook.project.notifications.create(event="rollout.held", subject="iris holds")
    old = Delivery.objects.create(notification=notification, webhook=hook, state="failed", tries=6, last_status=500)
    again = call("POST", f"/deliveries/{old.pk}/replay")
    assert (again.status_code, again.json()["state"], again.json()["tries"]) == (201, "pending", 0)
    rows = call("GET", f"/webhooks/{pk}/deliveries").json()["results"]
    assert [(row["id"], row["event"], row["last_status"]) for row in rows] == [
        (again.json()["id"], "rollout.held", None),
        (old.pk, "rollout.held", 500),
    ]
    assert {row["notification"] for row in rows} == {notification.pk}
    assert call("POST", f"/deliveries/{again.json()['id']}/replay").status_code == 409
    assert call("POST", f"/deliveries/{9**9}/replay").status_code == 404
