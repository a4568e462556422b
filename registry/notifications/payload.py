"""What a webhook receives: the body's bytes, and the headers that sign them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson

from registry.models import Notification


def payload_of(notification: Notification) -> dict[str, Any]:
    """`id` is the notification's, so it stays the same however often and to whomever it is sent."""
    return {
        "id": notification.pk,
        "event": notification.event,
        "at": notification.created_at.isoformat(),
        "project": notification.project.slug,
        "subject": notification.subject,
        "data": notification.body,
    }


def body_of(notification: Notification) -> bytes:
    return orjson.dumps(payload_of(notification))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hex HMAC-SHA256 over the timestamp, a dot and the body's bytes."""
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def headers(event: str, delivery_id: int, secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "Slipway",
        "X-Slipway-Event": event,
        "X-Slipway-Delivery": str(delivery_id),
        "X-Slipway-Timestamp": timestamp,
        "X-Slipway-Signature": signature(secret, timestamp, body),
    }
