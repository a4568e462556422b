"""Writes the record. Call `record` last, inside the transaction of the act itself: either both stand or neither.

Each event's `mac` is HMAC-SHA256(key, previous mac + canonical JSON of the event), so that an edit, a removal or a
reordering breaks the chain from there on (`verify_chain`); the head row shows a cut-off tail.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry.access.principal import Principal
from registry.models import AuditEvent, AuditHead

# From here on every float is a whole number, and is written without its point.
_HUGE = 1e16


class Auditable(Protocol):
    pk: Any


def _key() -> bytes:
    return hashlib.sha256(b"slipway.audit:" + settings.SECRET_KEY.encode()).digest()


def mac_of(event: AuditEvent, previous: str) -> str:
    fields = [
        event.at.isoformat(),
        event.action,
        event.actor_id,
        event.actor_name,
        event.token_prefix,
        event.project_id,
        event.object_type,
        event.object_id,
        event.object_name,
        event.reason,
        event.details,
        event.request_id,
    ]
    message = previous + json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(_key(), message.encode(), hashlib.sha256).hexdigest()


def record(
    principal: Principal,
    action: str,
    obj: Auditable,
    *,
    project_id: int | None = None,
    reason: str = "",
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Must run inside the transaction of the act; the head's row lock keeps the chain linear until that commits."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An audit event belongs into the transaction of its act.")
    AuditHead.objects.get_or_create(pk=1)
    head = AuditHead.objects.select_for_update().get(pk=1)
    event = AuditEvent(
        at=timezone.now(),
        action=action,
        actor_id=principal.user_id,
        actor_name=principal.name,
        token_prefix=principal.token_prefix,
        project_id=project_id,
        object_type=type(obj).__name__,
        object_id=str(obj.pk),
        object_name=str(obj)[:300],
        reason=reason,
        details=_storable(details or {}),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
    event.mac = mac_of(event, head.mac)
    event.save(force_insert=True)
    head.n_events, head.last_event_id, head.mac = head.n_events + 1, event.pk, event.mac
    head.save()
    return event


def _storable(value: Any) -> Any:
    """As PostgreSQL gives it back: of numbers with a point it makes integers where they are huge, and drops the sign of
    a zero, by which the chain would look broken. Such become text."""
    if isinstance(value, Mapping):
        return {str(key): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not (0 < abs(value) < _HUGE or repr(value) == "0.0"):
        return repr(value)
    return value


@dataclass(frozen=True)
class Verdict:
    n_events: int
    first_broken: int | None
    problem: str


def verify_chain(events: Iterable[AuditEvent] | None = None) -> Verdict:
    """Walks the chain from its beginning; `first_broken` is the id of the first event that does not fit."""
    previous, count, last = "", 0, 0
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().filter(pk=1).first() or AuditHead()
        rows = AuditEvent.objects.order_by("id").iterator(2000) if events is None else events
        for event in rows:
            if not hmac.compare_digest(event.mac, mac_of(event, previous)):
                return Verdict(count, event.pk, "changed, or its predecessor is missing or out of order")
            previous, count, last = event.mac, count + 1, event.pk
    if (head.n_events, head.last_event_id, head.mac) != (count, last, previous):
        return Verdict(count, last, f"the record ends here, but {head.n_events} events were written")
    return Verdict(count, None, "")
