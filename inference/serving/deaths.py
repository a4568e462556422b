"""Reports processes that died while they ran a version, off the request path and until PostgreSQL has taken it.

What a death leads to is not decided here: the wiring says who is told (`report_to`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection

from inference.monitoring.observe import count
from inference.monitoring.state import RESTARTS
from inference.runtime.deaths import Death

log = structlog.get_logger(__name__)
RETRY_SECONDS = 2.0
_report: Callable[[Death], None] | None = None
_deaths: SimpleQueue[Death] = SimpleQueue()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def report_to(record: Callable[[Death], None]) -> None:
    """`record` blocks for PostgreSQL, and changes nothing when it is told of the same death again."""
    global _report
    _report = record


def note_death(death: Death) -> None:
    """Returns at once; may be called from any thread."""
    global _thread
    log.error("model_killed_its_process", sha256=death.sha256, cause=death.cause, signal=death.signal)
    if death.isolated:
        count(RESTARTS, death.cause)
    _deaths.put(death)
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_report_all, name="deaths", daemon=True)
            _thread.start()


def _report_all() -> None:
    while True:
        death = _deaths.get()
        while not _recorded(death):
            time.sleep(RETRY_SECONDS)


def _recorded(death: Death) -> bool:
    try:
        if _report is not None:
            _report(death)
    except (DatabaseError, InterfaceError) as error:
        log.warning("death_not_recorded", error=type(error).__name__)
        return False
    except Exception:
        log.exception("death_not_recorded")
    finally:
        connection.close()
    return True
