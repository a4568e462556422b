"""PostgreSQL's NOTIFY as a hint that it is worth looking now. It proves nothing and may be lost: look anyway."""

from __future__ import annotations

import selectors

from django.db import connection


def listen(channel: str) -> None:
    """On this thread's connection, until that is closed. `channel` is a constant of the code, never anybody's input."""
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")


def hint(channel: str) -> None:
    """Sent when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel])


def wait_for_hint(seconds: float) -> bool:
    """Whether one came. Raises the errors of django.db where the connection broke."""
    # The driver's own errors would not be recognised by who catches Django's.
    with connection.wrap_database_errors:
        raw = connection.connection
        with selectors.DefaultSelector() as selector:
            selector.register(raw, selectors.EVENT_READ)
            selector.select(seconds)
        raw.poll()
        hinted = bool(raw.notifies)
        raw.notifies.clear()
        return hinted
