"""Notes versions that are refused because they are not what was registered, off the path of whoever asked for them.

A thread passes it on, and goes on trying while PostgreSQL is away. Who writes it down is not decided here: the wiring
says it (`report_to`), as the data plane knows nothing of the record.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from queue import Queue
from typing import NamedTuple

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection

from registry.artifacts.model_files import Artifact, Subject, files_as_json

TAMPERED, PROVEN = "version.tampered", "version.proven"
RETRY_SECONDS = 2.0
# A process says the same again after this, should the record have been closed meanwhile.
AGAIN_AFTER_SECONDS = 60.0
log = structlog.get_logger(__name__)


class Finding(NamedTuple):
    """`found` is what does not fit; empty where all fits again. `row` stands for what the version's row said."""

    subject: Subject
    row: str
    sha256: str
    found: str


_report: Callable[[Finding], object] | None = None
_findings: Queue[Finding] = Queue()
_noted: dict[Subject, tuple[Finding, float]] = {}
_starting = threading.Lock()
_thread: threading.Thread | None = None


def report_to(record: Callable[[Finding], object]) -> None:
    """`record` blocks for PostgreSQL, and changes nothing when it is told the same again."""
    global _report
    _report = record


def note_tampered(artifact: Artifact, found: str) -> None:
    """Returns at once; may be called from any thread, and as often as a load is tried."""
    subject = artifact.subject
    if subject is None:
        log.error("artifact_tampered", sha256=artifact.sha256, found=found)
        return
    finding, now = finding_of(artifact, subject, found), time.monotonic()
    before, at = _noted.get(subject, (None, float("-inf")))
    if finding == before and now - at < AGAIN_AFTER_SECONDS:
        return
    _noted[subject] = finding, now
    log.error("artifact_tampered", sha256=artifact.sha256, found=found, model_id=subject.model, version=subject.version)
    _put(finding)


def note_proven(artifact: Artifact) -> None:
    """After every load that went well; costs a look into a dictionary where this process has refused nothing."""
    subject = artifact.subject
    if subject is not None and subject in _noted:
        del _noted[subject]
        _put(finding_of(artifact, subject, ""))


def finding_of(artifact: Artifact, subject: Subject, found: str) -> Finding:
    return Finding(subject, row_mark(artifact), artifact.sha256, found)


def row_mark(artifact: Artifact) -> str:
    """Another one, whenever digest, files or seal are."""
    facts = [artifact.sha256, files_as_json(artifact.files), dict(artifact.seal)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def settle(seconds: float) -> bool:
    """Waits until all that was noted is on the record: for a command, whose process ends."""
    until = time.monotonic() + seconds
    while _findings.unfinished_tasks and time.monotonic() < until:
        time.sleep(0.02)
    return not _findings.unfinished_tasks


def _put(finding: Finding) -> None:
    global _thread
    _findings.put(finding)
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_record_all, name="tampering", daemon=True)
            _thread.start()


def _record_all() -> None:
    while True:
        finding = _findings.get()
        while not _recorded(finding):
            time.sleep(RETRY_SECONDS)
        _findings.task_done()


def _recorded(finding: Finding) -> bool:
    try:
        if _report is not None:
            _report(finding)
    except (DatabaseError, InterfaceError) as error:
        log.warning("tampering_not_recorded", error=type(error).__name__)
        return False
    except Exception:
        log.exception("tampering_not_recorded")
    finally:
        connection.close()
    return True
