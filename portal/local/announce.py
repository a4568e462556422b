"""Worker and beat tell whoever started them that they are at work: they write the file that PORTAL_READY_FILE names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery.signals import beat_init, worker_ready


@worker_ready.connect
@beat_init.connect
def announce(**_: Any) -> None:
    if path := os.environ.get("PORTAL_READY_FILE"):
        Path(path).write_text(f"{os.getpid()}\n", encoding="ascii")
