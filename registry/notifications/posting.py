"""One delivery to a webhook. What needs the database is read first, so that the sending may run in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from registry.models import Delivery, Webhook
from registry.notifications import addresses, transport
from registry.notifications.outcome import DELIVERED, Outcome, hopeless
from registry.notifications.payload import body_of, headers
from registry.notifications.sealing import SealBroken, unseal


def prepare(delivery: Delivery, webhook: Webhook) -> Callable[[], Outcome]:
    """Returns what sends it; that touches no database."""
    if not webhook.is_active:
        return lambda: hopeless(_("The webhook is disabled."))
    try:
        secret = unseal(webhook.secret)
    except SealBroken:
        return lambda: hopeless(_("The portal's secret key has changed: make this webhook anew."))
    body, event, url, pk = body_of(delivery.notification), delivery.notification.event, webhook.url, delivery.pk
    return lambda: _post(url, body, headers(event, pk, secret, str(int(time.time())), body))


def _post(url: str, body: bytes, signed: dict[str, str]) -> Outcome:
    try:
        target = addresses.parse(url)
        status = transport.post(target, addresses.resolve(target), body, signed)
    except (addresses.Refused, InvalidInput) as refused:
        return Outcome(False, error=str(refused))
    if 200 <= status < 300:
        return DELIVERED._replace(status=status)
    if 300 <= status < 400:
        return Outcome(False, status, _("It answered with a redirect, which is not followed: enter the final URL."))
    return Outcome(False, status, _("It answered %(status)s; only 200 to 299 count as received.") % {"status": status})
