"""Tells the outbox. Called inside the transaction of the act, so that nobody hears of what did not happen."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from registry.models import Delivery, EmailSubscription, Notification, Webhook
from registry.notifications.events import EVENTS
from registry.services.doorbell import ring

MAX_SUBJECT = 300


def notify(project_id: int, event: str, subject: str, body: dict[str, Any]) -> Notification:
    """Writes the event and one delivery for each receiver who wants it; they are sent once the act is committed.

    `subject` is one line for people, cut at 300 characters; `body` is JSON-ready and becomes `data` of the payload.
    Raises ValueError for an event that `events.py` does not list.
    """
    if event not in EVENTS:
        raise ValueError(f"{event} is no event of registry/notifications/events.py.")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A notification belongs into the transaction of its act.")
    line = " ".join(subject.split())[:MAX_SUBJECT]
    notification = Notification.objects.create(project_id=project_id, event=event, subject=line, body=body)
    deliveries = [Delivery(notification=notification, webhook=webhook) for webhook in _webhooks(project_id, event)]
    deliveries += [Delivery(notification=notification, user_id=user_id) for user_id in _readers(project_id, event)]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        ring_on_commit()
    return notification


def ring_on_commit() -> None:
    transaction.on_commit(lambda: ring("registry.tasks.deliver_notifications"))


def _wants(event: str) -> Q:
    return Q(events__len=0) | Q(events__contains=[event])


def _webhooks(project_id: int, event: str) -> QuerySet[Webhook]:
    return Webhook.objects.filter(_wants(event), project_id=project_id, is_active=True)


def _readers(project_id: int, event: str) -> QuerySet[EmailSubscription, int]:
    """The ids of subscribers who are still members and have an address; nobody where no mail server is set."""
    if not settings.PORTAL_EMAIL_CONFIGURED:
        return EmailSubscription.objects.none().values_list("user_id", flat=True)
    belongs = Q(user__is_superuser=True) | Q(user__memberships__project_id=project_id)
    wanted = EmailSubscription.objects.filter(_wants(event), belongs, project_id=project_id, user__is_active=True)
    return wanted.exclude(user__email="").values_list("user_id", flat=True).distinct()
