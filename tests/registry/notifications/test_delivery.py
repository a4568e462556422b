"""Claiming, sending, trying again: against a receiver that really listens."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from registry.access.principal import SYSTEM
from registry.models import Delivery, DeliveryState, EmailSubscription, Notification, Project, Webhook
from registry.notifications import delivery as delivering
from registry.notifications.delivery import BACK_OFF_SECONDS, LEASE_SECONDS, MAX_TRIES, claim, deliver_due, settle
from registry.notifications.outcome import Outcome
from registry.notifications.payload import signature
from registry.notifications.services import notify
from registry.notifications.webhooks import change_webhook
from tests import factories
from tests.registry.notifications.conftest import Receiver

pytestmark = pytest.mark.django_db


def tell(project: Project, **body: Any) -> Notification:
    return notify(project.pk, "rollout.held", "iris holds at 5 %", body)


def due_again() -> None:
    Delivery.objects.update(next_try_at=timezone.now())


def seconds_until(delivery: Delivery) -> int:
    return round((delivery.next_try_at - timezone.now()).total_seconds())


def test_deliver__webhook__body_and_headers_as_documented(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver
) -> None:
    notification = tell(project, endpoint="iris", stage=2)
    assert deliver_due() == 1
    (got,) = receiver.got
    delivery = Delivery.objects.get()
    assert json.loads(got.body) == {
        "id": notification.pk,
        "event": "rollout.held",
        "at": notification.created_at.isoformat(),
        "project": "default",
        "subject": "iris holds at 5 %",
        "data": {"endpoint": "iris", "stage": 2},
    }
    assert (got.path, got.headers["Content-Type"]) == ("/hook?key=hidden", "application/json")
    assert (got.headers["X-Slipway-Event"], got.headers["X-Slipway-Delivery"]) == ("rollout.held", str(delivery.pk))
    assert got.headers["X-Slipway-Signature"] == signature(hook[1], got.headers["X-Slipway-Timestamp"], got.body)
    assert (delivery.state, delivery.tries, delivery.last_status, delivery.last_error) == ("delivered", 1, 204, "")
    assert delivery.delivered_at is not None
    assert deliver_due() == 0


def test_deliver__refused_every_time__backs_off_and_fails_after_the_last_try(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver
) -> None:
    receiver.status = 500
    tell(project)
    waits = []
    for _try in range(MAX_TRIES):
        assert deliver_due() == 1
        delivery = Delivery.objects.get()
        waits.append(seconds_until(delivery) if delivery.state == DeliveryState.PENDING else None)
        assert deliver_due() == 0
        due_again()
    assert waits == [10, 60, 300, 1800, 7200, None]
    assert (delivery.state, delivery.tries, delivery.last_status) == ("failed", 6, 500)
    assert delivery.last_error == "It answered 500; only 200 to 299 count as received."
    assert len({got.headers["X-Slipway-Delivery"] for got in receiver.got}) == 1
    assert len(receiver.got) == 6


def test_deliver__receiver_back_again__arrives_on_the_second_try(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver
) -> None:
    receiver.status = 503
    tell(project)
    deliver_due()
    receiver.status = 200
    due_again()
    deliver_due()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.last_status, delivery.last_error) == ("delivered", 2, 200, "")


def test_deliver__redirect__not_followed(project: Project, hook: tuple[Webhook, str], receiver: Receiver) -> None:
    receiver.status, receiver.extra = 307, {"Location": receiver.url}
    tell(project)
    deliver_due()
    assert len(receiver.got) == 1
    assert "redirect" in Delivery.objects.get().last_error


def test_deliver__network_no_longer_allowed__nothing_is_sent(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver, settings: Any
) -> None:
    settings.PORTAL_WEBHOOK_ALLOW_PRIVATE = []
    tell(project)
    deliver_due()
    delivery = Delivery.objects.get()
    assert (receiver.got, delivery.state, delivery.last_status) == ([], "pending", None)
    assert "private or reserved" in delivery.last_error


def test_deliver__name_that_leads_inside__nothing_is_sent(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver, settings: Any
) -> None:
    settings.PORTAL_WEBHOOK_ALLOW_PRIVATE = []
    Webhook.objects.update(url=f"http://localhost:{receiver.server_port}/")
    tell(project)
    deliver_due()
    assert receiver.got == []
    assert "private or reserved" in Delivery.objects.get().last_error


def test_deliver__webhook_disabled_meanwhile__fails_at_once(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver
) -> None:
    tell(project)
    change_webhook(SYSTEM, hook[0], {"is_active": False})
    deliver_due()
    delivery = Delivery.objects.get()
    assert (receiver.got, delivery.state, delivery.last_error) == ([], "failed", "The webhook is disabled.")


def test_deliver__other_secret_key__fails_at_once(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver, settings: Any
) -> None:
    settings.SECRET_KEY = "another"
    tell(project)
    deliver_due()
    assert (receiver.got, Delivery.objects.get().state) == ([], "failed")


def test_deliver__former_secret_key_kept_as_fallback__arrives(
    project: Project, hook: tuple[Webhook, str], receiver: Receiver, settings: Any
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    tell(project)
    deliver_due()
    assert Delivery.objects.get().state == "delivered"


def test_deliver__email__plain_text_to_the_subscriber(project: Project, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    olga = factories.make_user("olga", "owner", email="olga@example.org")
    EmailSubscription.objects.create(project=project, user=olga)
    tell(project, endpoint="iris")
    deliver_due()
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["olga@example.org"], "[Slipway: default] iris holds at 5 %")
    assert '"endpoint": "iris"' in message.body
    assert "(rollout.held, " in message.body
    assert Delivery.objects.get().state == "delivered"


def test_deliver__email_after_leaving_the_project__fails_and_nothing_is_sent(project: Project, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    olga = factories.make_user("olga", "owner", email="olga@example.org")
    EmailSubscription.objects.create(project=project, user=olga)
    tell(project)
    olga.memberships.all().delete()
    deliver_due()
    assert mail.outbox == []
    assert Delivery.objects.get().state == "failed"


def test_deliver__mail_server_away__tried_again(project: Project, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    olga = factories.make_user("olga", "owner", email="olga@example.org")
    EmailSubscription.objects.create(project=project, user=olga)
    tell(project)
    deliver_due()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries) == ("pending", 1)
    assert delivery.last_error == "The mail server refused: ConnectionRefusedError."


def test_claim__leased__found_again_only_when_the_lease_is_over(project: Project, hook: tuple[Webhook, str]) -> None:
    tell(project)
    (mine,) = claim(8)
    assert (mine.tries, seconds_until(mine)) == (1, LEASE_SECONDS)
    assert claim(8) == []
    due_again()
    (again,) = claim(8)
    assert (again.pk, again.tries) == (mine.pk, 2)


def test_settle__after_somebody_else_has_claimed__changes_nothing(project: Project, hook: tuple[Webhook, str]) -> None:
    tell(project)
    (late,) = claim(8)
    due_again()
    (owner,) = claim(8)
    assert settle(late, Outcome(False, 500, "late", is_final=True)) is False
    assert settle(owner, Outcome(True, 204)) is True
    assert settle(owner, Outcome(False, 500, "twice")) is False
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_status, delivery.last_error) == ("delivered", 204, "")


def test_claim__worker_ended_during_the_last_try__fails(project: Project, hook: tuple[Webhook, str]) -> None:
    tell(project)
    for _try in range(MAX_TRIES):
        assert len(claim(8)) == 1
        due_again()
    assert claim(8) == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries) == ("failed", len(BACK_OFF_SECONDS) + 1)


def test_claim__longest_due_first_and_no_more_than_asked(project: Project, hook: tuple[Webhook, str]) -> None:
    ids = [tell(project).deliveries.get().pk for _number in range(3)]
    Delivery.objects.filter(pk=ids[2]).update(next_try_at=timezone.now() - timedelta(hours=1))
    assert {delivery.pk for delivery in claim(2)} == {ids[0], ids[2]}


@pytest.mark.django_db(transaction=True)
def test_claim__row_that_another_worker_holds__is_skipped(
    project: Project, hook: tuple[Webhook, str], second_connection: Any
) -> None:
    with transaction.atomic():
        tell(project)
        tell(project)
    first, second = Delivery.objects.order_by("pk")
    with second_connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1 FROM registry_delivery WHERE id = %s FOR UPDATE", [first.pk])
        assert [delivery.pk for delivery in claim(8)] == [second.pk]
    assert connection.in_atomic_block is False


def test_forget_old__thirty_days_and_nothing_pending__gone(project: Project, hook: tuple[Webhook, str]) -> None:
    old, pending, young = tell(project), tell(project), tell(project)
    long_ago = timezone.now() - delivering.KEPT - timedelta(minutes=1)
    Notification.objects.filter(pk__in=[old.pk, pending.pk]).update(created_at=long_ago)
    Delivery.objects.exclude(notification=pending).update(state=DeliveryState.DELIVERED)
    delivering.forget_old()
    assert set(Notification.objects.all()) == {pending, young}
