"""Sending again, and sending a test: each is a delivery of its own, so the log keeps what was before."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.access.principal import Principal
from registry.models import Delivery, DeliveryState, Notification, Webhook
from registry.notifications.events import TEST_EVENT
from registry.notifications.selectors import permit
from registry.notifications.services import ring_on_commit
from registry.services import audit


def send_test(principal: Principal, webhook: Webhook) -> Delivery:
    permit(principal, "webhook.manage", webhook.project_id)
    _require_active(webhook)
    with transaction.atomic():
        notification = Notification.objects.create(
            project_id=webhook.project_id,
            event=TEST_EVENT,
            subject=_("A test from Slipway"),
            body={"webhook": webhook.pk, "asked_by": principal.name},
        )
        delivery = Delivery.objects.create(notification=notification, webhook=webhook)
        audit.record(principal, "webhook.tested", webhook, project_id=webhook.project_id)
        ring_on_commit()
    return delivery


def replay(principal: Principal, delivery: Delivery) -> Delivery:
    """Returns the new delivery of the same notification. Raises Conflict while the old one is still being tried."""
    webhook = delivery.webhook
    assert webhook is not None  # The selector finds deliveries to webhooks only.
    permit(principal, "webhook.manage", webhook.project_id)
    _require_active(webhook)
    if delivery.state == DeliveryState.PENDING:
        raise Conflict(_("This delivery is still being tried: wait until it has arrived or failed."), code="pending")
    with transaction.atomic():
        again = Delivery.objects.create(notification_id=delivery.notification_id, webhook=webhook)
        details = {"delivery": delivery.pk, "again": again.pk, "event": delivery.notification.event}
        audit.record(principal, "delivery.replayed", webhook, project_id=webhook.project_id, details=details)
        ring_on_commit()
    return again


def _require_active(webhook: Webhook) -> None:
    if not webhook.is_active:
        raise Conflict(_("This webhook is disabled: enable it first."), code="webhook_disabled")
