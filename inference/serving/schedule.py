"""This process's scheduler and its tokens' limits, made on first use; a forked child makes its own."""

from __future__ import annotations

import os
import threading

from django.conf import settings

from inference.scheduling.rate import RateLimits
from inference.scheduling.scheduler import Scheduler

rate_limits = RateLimits()
_scheduler: Scheduler | None = None
_pid = 0
_making = threading.Lock()


def process_scheduler() -> Scheduler:
    global _scheduler, _pid
    if _scheduler is None or _pid != os.getpid():
        with _making:
            if _scheduler is None or _pid != os.getpid():
                _scheduler, _pid = Scheduler(settings.PORTAL_QUEUE_SECONDS), os.getpid()
    return _scheduler
