"""Takes a process's counts out of it, off the path: to the other processes each second, to PostgreSQL every two.

Evidence goes to PostgreSQL every two seconds as well, and earlier after a bad answer of a rollout.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection

from inference.monitoring.evidence import EVIDENCE, Evidence
from inference.monitoring.evidence_writer import EvidenceWriter
from inference.monitoring.exchange import Exchange, folder
from inference.monitoring.observe import OBSERVATIONS, Observations
from inference.monitoring.state import Gauges, State
from inference.monitoring.windows import WindowWriter

log = structlog.get_logger(__name__)
PUBLISH_SECONDS = 1.0
WRITE_SECONDS = 2.0
FOLD_EVERY = 60
PATIENCE_SECONDS = 3.0
# After a bad answer: others may come right behind it.
GATHER_SECONDS = 0.1


class Flusher:
    """Three threads from `start` to `stop`, which flushes a last time. `read_gauges` is asked once a second.

    `process` is the id of this process in ServingProcess.
    """

    def __init__(
        self,
        read_gauges: Callable[[], Gauges] = Gauges,
        *,
        process: UUID | None = None,
        observations: Observations = OBSERVATIONS,
        evidence: Evidence = EVIDENCE,
        place: Path | None = None,
    ) -> None:
        self.id = process or uuid4()
        self._read_gauges = read_gauges
        self._observations = observations
        place = place or folder()
        self._exchange = Exchange(place, self.id) if place else None
        self._writer = WindowWriter(self.id, observations.state())
        self._evidence = evidence
        self._evidence_writer = EvidenceWriter(self.id, evidence)
        self._stop = threading.Event()
        self._rounds = 0
        self._threads = [
            threading.Thread(target=self._publishing, name="metrics", daemon=True),
            threading.Thread(target=self._writing, name="windows", daemon=True),
            threading.Thread(target=self._telling, name="evidence", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Blocks a few seconds at most: a store that is away keeps no process from ending."""
        self._stop.set()
        self._evidence.urgent.set()
        for thread in self._threads:
            thread.join(timeout=PATIENCE_SECONDS)

    # --- to the other processes ---------------------------------------------------------------------------------------

    def _publishing(self) -> None:
        if self._exchange is None:
            return
        while not self._stop.is_set():
            self.publish()
            self._stop.wait(PUBLISH_SECONDS)
        self.publish(ended=True)

    def publish(self, *, ended: bool = False) -> None:
        """Once; now and then it also clears up after processes that have ended."""
        if self._exchange is None:
            return
        try:
            self._exchange.publish(self._state(with_gauges=not ended), ended=ended)
            if self._rounds % FOLD_EVERY == 0:
                self._exchange.fold()
            self._rounds += 1
        except OSError as error:
            log.warning("metrics_not_published", error=type(error).__name__)
        except Exception:
            log.exception("metrics_failed")

    def _state(self, *, with_gauges: bool) -> State:
        state = self._observations.state()
        if with_gauges:
            memory = psutil.Process().memory_info().rss
            state.gauges[os.getpid()] = replace(self._read_gauges(), memory_bytes=memory)
        return state

    # --- to PostgreSQL ------------------------------------------------------------------------------------------------

    def _writing(self) -> None:
        while not self._stop.wait(WRITE_SECONDS):
            self.write()
        self.write()
        connection.close()

    def write(self) -> bool:
        """Once; False where PostgreSQL did not take it, which loses nothing."""
        return self._stored("windows", self._write_windows)

    def _write_windows(self) -> None:
        self._writer.cut(self._observations.state())
        self._writer.write()

    def _telling(self) -> None:
        while not self._stop.is_set():
            if self._evidence.urgent.wait(WRITE_SECONDS):
                self._stop.wait(GATHER_SECONDS)
            self.tell()
        connection.close()

    def tell(self) -> bool:
        """As `write`, for the evidence."""
        return self._stored("evidence", self._write_evidence)

    def _write_evidence(self) -> None:
        self._evidence_writer.cut()
        self._evidence_writer.write()

    def _stored(self, what: str, store: Callable[[], None]) -> bool:
        try:
            store()
        except (DatabaseError, InterfaceError) as error:
            log.warning(f"{what}_not_written", error=type(error).__name__)
            connection.close()
            return False
        except Exception:
            log.exception(f"{what}_failed")
            return False
        return True
