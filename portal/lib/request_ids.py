"""Ids by which one request is found again in answers, logs, tasks and the record."""

from __future__ import annotations

import re
import secrets

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def accept_or_create(value: str | None) -> str:
    """The caller's own id, or a fresh one where it could garble a log line or a header."""
    return value if value and WELL_FORMED.fullmatch(value) else secrets.token_hex(16)
