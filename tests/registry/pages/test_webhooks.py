"""The pages of webhooks and e-mails, without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from registry.models import Delivery, EmailSubscription, User, Webhook
from registry.notifications.sealing import unseal
from tests.factories import make_user

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.org/a?key=hidden"
FORM = {"url": URL, "project": "default", "description": "<b>chat</b>", "events": ["rollout.held"]}


@pytest.fixture
def olga() -> User:
    return make_user("olga", "owner", email="olga@example.org")


@pytest.fixture
def owner(olga: User) -> Client:
    client = Client()
    client.force_login(olga)
    return client


@pytest.fixture
def made(owner: Client) -> Webhook:
    assert owner.post("/webhooks", FORM).status_code == 200
    return Webhook.objects.get()


def test_webhook__made_on_the_page__shows_its_secret_once_and_is_not_stored_by_the_browser(owner: Client) -> None:
    answer = owner.post("/webhooks", FORM)
    secret = answer.content.decode().partition('<code id="secret">')[2].partition("<")[0]
    webhook = Webhook.objects.get()
    assert (secret, answer.headers["Cache-Control"]) == (unseal(webhook.secret), "no-store")
    assert (webhook.url, webhook.events) == (URL, ["rollout.held"])
    for path in ("/webhooks", f"/webhooks/{webhook.pk}"):
        page = owner.get(path).content.decode()
        assert secret not in page
        assert "key=hidden" not in page
        assert "&lt;b&gt;chat" in page


def test_webhook__bad_url__keeps_the_input_and_says_why_beside_it(owner: Client) -> None:
    answer = owner.post("/webhooks", {**FORM, "url": "http://169.254.169.254/"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "private or reserved" in page
    assert 'value="http://169.254.169.254/"' in page
    assert Webhook.objects.count() == 0


def test_test_and_replay__pressed__each_a_delivery_in_the_log(owner: Client, made: Webhook) -> None:
    assert owner.post(f"/webhooks/{made.pk}/test").status_code == 303
    log = owner.get(f"/webhooks/{made.pk}/deliveries").content.decode()
    assert "not tried yet" in log
    assert 'hx-trigger="every 3s"' in log
    Delivery.objects.update(state="failed", tries=6, last_status=500, last_error="It answered 500.")
    log = owner.get(f"/webhooks/{made.pk}").content.decode()
    assert "It answered 500." in log
    assert "every 3s" not in log
    old = Delivery.objects.get()
    answer = owner.post(f"/deliveries/{old.pk}/replay")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/webhooks/{made.pk}")
    assert Delivery.objects.count() == 2


def test_disable_and_enable__pressed__and_a_test_is_refused_meanwhile(owner: Client, made: Webhook) -> None:
    assert owner.post(f"/webhooks/{made.pk}/active", {"state": "off"}).status_code == 303
    assert "Disabled" in owner.get("/webhooks").content.decode()
    assert owner.post(f"/webhooks/{made.pk}/test").status_code == 409
    assert owner.post(f"/webhooks/{made.pk}/active", {"state": "on"}).status_code == 303
    assert owner.post(f"/webhooks/{made.pk}/active", {"state": "maybe"}).status_code == 400
    made.refresh_from_db()
    assert made.is_active is True


def test_delete__needs_a_reason(owner: Client, made: Webhook) -> None:
    assert owner.get(f"/webhooks/{made.pk}/delete").status_code == 200
    assert owner.post(f"/webhooks/{made.pk}/delete", {"reason": ""}).status_code == 400
    assert owner.post(f"/webhooks/{made.pk}/delete", {"reason": "moved"}).headers["Location"] == "/webhooks"
    assert Webhook.objects.count() == 0


def test_email__not_configured__said_so_and_refused(owner: Client, olga: User) -> None:
    assert "No mail server is set" in owner.get("/webhooks").content.decode()
    assert owner.post("/webhooks/email", {"project": "default", "state": "on"}).status_code == 409
    assert EmailSubscription.objects.count() == 0


def test_email__configured__on_and_off(owner: Client, olga: User, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    assert "No mail server is set" not in owner.get("/webhooks").content.decode()
    assert owner.post("/webhooks/email", {"project": "default", "state": "on"}).status_code == 303
    assert EmailSubscription.objects.get().user == olga
    assert "Unsubscribe" in owner.get("/webhooks").content.decode()
    assert owner.post("/webhooks/email", {"project": "default", "state": "off"}).status_code == 303
    assert EmailSubscription.objects.count() == 0


def test_pages__operator_and_stranger__see_nothing(made: Webhook) -> None:
    for name, role, status in (("alice", "operator", 403), ("charlie", None, 404)):
        client = Client()
        client.force_login(make_user(name, role))
        assert "you own none" in client.get("/webhooks").content.decode()
        assert client.get(f"/webhooks/{made.pk}").status_code == status
        assert client.post("/webhooks", FORM).status_code == status
        assert client.post(f"/webhooks/{made.pk}/test").status_code == status
    assert Webhook.objects.count() == 1
