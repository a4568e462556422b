"""Rings for a Celery task by name. A dead broker must not fail an act that stands in PostgreSQL already."""

from __future__ import annotations

from typing import Any

import structlog
from celery import current_app
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def ring(task: str, *args: Any, queue: str = "default") -> None:
    """Sends the message, or logs that it could not: the reconcilers find what nobody rang for within seconds."""
    try:
        current_app.send_task(task, args=args, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("doorbell_silent", task=task, error=type(error).__name__)
