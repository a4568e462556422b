"""Takes what is due from the outbox and sends it.

A delivery is claimed for a lease before it is sent, and whoever finds the lease over sends again: it arrives at least
once, and the ids in it let receivers drop a repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.models import Delivery, DeliveryState, Notification
from registry.notifications import mailing, posting
from registry.notifications.outcome import Outcome

log = structlog.get_logger(__name__)
# How long after each failed try comes the next.
BACK_OFF_SECONDS = (10, 60, 300, 1800, 7200)
MAX_TRIES = len(BACK_OFF_SECONDS) + 1
LEASE_SECONDS = 120
AT_ONCE = 8
KEPT = timedelta(days=30)


def deliver_due(most: int = AT_ONCE) -> int:
    """Sends at most so many, all at once, so that a slow receiver holds up nobody. Returns how many it took."""
    claimed = claim(most)
    if not claimed:
        return 0
    sends = [_prepare(delivery) for delivery in claimed]
    with ThreadPoolExecutor(len(claimed)) as pool:
        outcomes = list(pool.map(lambda send: send(), sends))
    for delivery, outcome in zip(claimed, outcomes, strict=True):
        settle(delivery, outcome)
    return len(claimed)


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=DeliveryState.PENDING, next_try_at__lte=timezone.now())


def claim(most: int) -> list[Delivery]:
    """The longest due ones. Each has its try counted already: one that ends its worker is not tried for ever."""
    _due().filter(tries__gte=MAX_TRIES).update(
        state=DeliveryState.FAILED, last_error=_("The worker ended while it was sending.")
    )
    with transaction.atomic():
        due = _due().select_for_update(skip_locked=True).order_by("next_try_at", "pk")
        ids = list(due.values_list("pk", flat=True)[:most])
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        Delivery.objects.filter(pk__in=ids).update(tries=F("tries") + 1, next_try_at=until)
    claimed = Delivery.objects.filter(pk__in=ids).select_related("notification__project", "webhook", "user")
    return list(claimed.order_by("pk"))


def _prepare(delivery: Delivery) -> Callable[[], Outcome]:
    if delivery.webhook is not None:
        return posting.prepare(delivery, delivery.webhook)
    assert delivery.user is not None  # The table's constraint: a receiver is the one or the other.
    return mailing.prepare(delivery, delivery.user)


def settle(delivery: Delivery, outcome: Outcome) -> bool:
    """Writes what became of the try; False where the lease ran out and somebody else has counted a try since."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING, tries=delivery.tries)
    facts = {"last_status": outcome.status, "last_error": outcome.error}
    now = timezone.now()
    if outcome.is_delivered:
        settled = mine.update(state=DeliveryState.DELIVERED, delivered_at=now, **facts)
    elif outcome.is_final or delivery.tries >= MAX_TRIES:
        settled = mine.update(state=DeliveryState.FAILED, **facts)
    else:
        wait = timedelta(seconds=BACK_OFF_SECONDS[delivery.tries - 1])
        settled = mine.update(next_try_at=now + wait, **facts)
    log.info("delivery_tried", delivery=delivery.pk, tries=delivery.tries, **outcome._asdict())
    return settled == 1


def forget_old() -> int:
    """Removes notifications of which nothing is pending after thirty days, and their deliveries."""
    old = Notification.objects.filter(created_at__lt=timezone.now() - KEPT)
    n_rows, _kinds = old.exclude(deliveries__state=DeliveryState.PENDING).delete()
    return n_rows
