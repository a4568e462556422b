"""Ids by which one request is found again in answers, logs, tasks and the record."""

from __future__ import annotations

import os
import random
import re
import secrets

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# Ids need to be unique, not secret, and each prediction takes one: asking the system for every one is ten times slower.
_numbers = random.Random(secrets.randbits(256))  # noqa: S311
os.register_at_fork(after_in_child=lambda: _numbers.seed(secrets.randbits(256)))


def new_request_id() -> str:
    """32 hexadecimal digits."""
    return f"{_numbers.getrandbits(128):032x}"


def accept_or_create(value: str | None) -> str:
    """The caller's own id, or a fresh one where it could garble a log line or a header."""
    return value if value and WELL_FORMED.fullmatch(value) else new_request_id()
