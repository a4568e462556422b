"""Making, changing, trying and removing webhooks: who may, what is kept, what the record says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access.principal import SYSTEM, Principal, principal_of_user
from registry.models import AuditEvent, Delivery, EmailSubscription, Project, User, Webhook
from registry.notifications import selectors, webhooks
from registry.notifications.events import EVENTS
from registry.notifications.replay import replay, send_test
from registry.notifications.sealing import unseal
from registry.notifications.services import notify
from registry.notifications.subscriptions import subscribe, unsubscribe
from registry.notifications.webhooks import change_webhook, create_webhook, delete_webhook
from tests import factories

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.org/a?key=hidden"


@pytest.fixture
def olga(project: Project) -> Principal:
    return factories.principal("olga", "owner")


@pytest.fixture
def webhook(olga: Principal, project: Project) -> Webhook:
    return create_webhook(olga, project, url=URL)[0]


def recorded() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_create__secret__shown_once_and_kept_sealed(olga: Principal, project: Project) -> None:
    made, secret = create_webhook(olga, project, url=URL, events=["rollout.held", "rollout.held"], description="x")
    stored = Webhook.objects.get()
    assert (len(secret), secret[:6], unseal(stored.secret)) == (49, "whsec_", secret)
    assert secret not in stored.secret
    assert (made.events, made.created_by_id, made.is_active) == (["rollout.held"], olga.user_id, True)


def test_create__record__names_neither_secret_nor_query(olga: Principal, project: Project) -> None:
    _made, secret = create_webhook(olga, project, url=URL)
    event = AuditEvent.objects.get()
    assert (event.action, event.object_name) == ("webhook.created", "https://hooks.example.org/a")
    assert secret not in str(event.details)


def test_create__all_events_named__stored_as_every_event(olga: Principal, project: Project) -> None:
    assert create_webhook(olga, project, url=URL, events=list(EVENTS))[0].events == []


@pytest.mark.parametrize(
    ("facts", "code", "field"),
    [
        ({"url": "ftp://h/"}, "invalid_url", "url"),
        ({"url": "http://127.0.0.1/"}, "address_refused", "url"),
        ({"url": URL, "events": ["rollout.exploded"]}, "unknown_event", "events"),
        ({"url": URL, "events": ["webhook.test"]}, "unknown_event", "events"),
        ({"url": URL, "description": "x" * 301}, "invalid_input", "description"),
    ],
)
def test_create__bad_fact__refused_and_nothing_kept(
    olga: Principal, project: Project, facts: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        create_webhook(olga, project, **facts)
    assert (error.value.code, error.value.details["field"]) == (code, field)
    assert Webhook.objects.count() == 0


def test_create__too_many__conflict(olga: Principal, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_OF_A_PROJECT", 1)
    create_webhook(olga, project, url=URL)
    with pytest.raises(Conflict):
        create_webhook(olga, project, url=URL)


def test_every_act__operator_and_stranger__refused(project: Project, webhook: Webhook) -> None:
    alice, charlie = factories.principal("alice", "operator"), factories.principal("charlie")
    for who, error in ((alice, NotAllowed), (charlie, NotFound)):
        with pytest.raises(error):
            create_webhook(who, project, url=URL)
        with pytest.raises(error):
            change_webhook(who, webhook, {"is_active": False})
        with pytest.raises(error):
            send_test(who, webhook)
        with pytest.raises(error):
            delete_webhook(who, webhook, reason="x")
        with pytest.raises(error):
            selectors.get_webhook(who, webhook.pk)
        with pytest.raises(error):
            subscribe(who, project)
        assert list(selectors.webhooks_for(who)) == []


def test_every_act__token_limited_to_endpoints__refused(olga: Principal, project: Project, webhook: Webhook) -> None:
    narrow = replace(olga, endpoints=frozenset({"iris"}))
    with pytest.raises(NotAllowed):
        create_webhook(narrow, project, url=URL)
    with pytest.raises(NotAllowed):
        selectors.get_webhook(narrow, webhook.pk)
    assert list(selectors.webhooks_for(narrow)) == []


def test_change__disabled_and_enabled__with_the_time(olga: Principal, webhook: Webhook) -> None:
    off = change_webhook(olga, webhook, {"is_active": False})
    assert (off.is_active, off.disabled_at is not None) == (False, True)
    on = change_webhook(olga, webhook, {"is_active": True, "description": "on again"})
    assert (on.is_active, on.disabled_at, on.description, on.url) == (True, None, "on again", URL)
    assert recorded() == ["webhook.created", "webhook.changed", "webhook.changed"]


def test_change__to_an_inner_address__refused(olga: Principal, webhook: Webhook) -> None:
    with pytest.raises(InvalidInput):
        change_webhook(olga, webhook, {"url": "http://169.254.169.254/latest"})
    assert Webhook.objects.get().url == URL


def test_delete__with_a_reason__gone_and_recorded(olga: Principal, webhook: Webhook) -> None:
    send_test(olga, webhook)
    with pytest.raises(InvalidInput):
        delete_webhook(olga, webhook, reason=" ")
    delete_webhook(olga, webhook, reason="the receiver moved")
    assert (Webhook.objects.count(), Delivery.objects.count()) == (0, 0)
    assert AuditEvent.objects.get(action="webhook.deleted").reason == "the receiver moved"
    with pytest.raises(NotFound):
        delete_webhook(olga, webhook, reason="again")


def test_replay__failed_delivery__a_new_one_of_the_same_notification(
    olga: Principal, project: Project, webhook: Webhook
) -> None:
    old = notify(project.pk, "rollout.held", "Something", {}).deliveries.get()
    with pytest.raises(Conflict) as error:
        replay(olga, old)
    assert error.value.code == "pending"
    Delivery.objects.update(state="failed", tries=6)
    again = replay(olga, selectors.get_delivery(olga, old.pk))
    assert (again.notification_id, again.state, again.tries) == (old.notification_id, "pending", 0)
    assert Delivery.objects.get(pk=old.pk).state == "failed"
    details = AuditEvent.objects.get(action="delivery.replayed").details
    assert details == {"delivery": old.pk, "again": again.pk, "event": "rollout.held"}


def test_test_and_replay__disabled__conflict(olga: Principal, webhook: Webhook) -> None:
    delivery = send_test(olga, webhook)
    off = change_webhook(olga, webhook, {"is_active": False})
    for act in (lambda: send_test(olga, off), lambda: replay(olga, selectors.get_delivery(olga, delivery.pk))):
        with pytest.raises(Conflict) as error:
            act()
        assert error.value.code == "webhook_disabled"


def test_send_test__one_webhook__nobody_else_hears(olga: Principal, project: Project, webhook: Webhook) -> None:
    create_webhook(SYSTEM, project, url=URL)
    delivery = send_test(olga, webhook)
    assert [row.pk for row in Delivery.objects.all()] == [delivery.pk]
    assert (delivery.webhook, delivery.notification.event) == (webhook, "webhook.test")


def test_get_delivery__email_of_somebody__not_found(olga: Principal, project: Project) -> None:
    notification = notify(project.pk, "rollout.held", "Something", {})
    row = Delivery.objects.create(notification=notification, user_id=olga.user_id)
    with pytest.raises(NotFound):
        selectors.get_delivery(SYSTEM, row.pk)


def test_subscribe__on_twice_and_off_twice__one_row_then_none(project: Project, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    who = principal_of_user(factories.make_user("ole", "owner", email="ole@example.org"))
    subscribe(who, project)
    assert subscribe(who, project, ["rollout.held"]).events == ["rollout.held"]
    assert list(selectors.subscriptions_of(who)) == [project.pk]
    unsubscribe(who, project)
    unsubscribe(who, project)
    assert EmailSubscription.objects.count() == 0
    assert recorded() == ["subscription.set", "subscription.set", "subscription.removed"]


@pytest.mark.parametrize(("is_set", "code"), [(False, "email_not_configured"), (True, "no_email")])
def test_subscribe__mail_could_never_arrive__conflict(
    olga: Principal, project: Project, settings: Any, is_set: bool, code: str
) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = is_set
    with pytest.raises(Conflict) as error:
        subscribe(olga, project)
    assert error.value.code == code
    assert User.objects.get().email_subscriptions.count() == 0
