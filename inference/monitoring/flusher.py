"""Takes a process's counts out of it, off the path: to the other processes each second, to PostgreSQL every two."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection

from inference.monitoring.exchange import Exchange, folder
from inference.monitoring.observe import OBSERVATIONS, Observations
from inference.monitoring.state import Gauges, State
from inference.monitoring.windows import WindowWriter

log = structlog.get_logger(__name__)
PUBLISH_SECONDS = 1.0
WRITE_SECONDS = 2.0
FOLD_EVERY = 60
PATIENCE_SECONDS = 3.0


class Flusher:
    """Two threads from `start` to `stop`, which flushes a last time. `read_gauges` is asked once a second."""

    def __init__(
        self,
        read_gauges: Callable[[], Gauges] = Gauges,
        *,
        observations: Observations = OBSERVATIONS,
        place: Path | None = None,
    ) -> None:
        self.id = uuid4()
        self._read_gauges = read_gauges
        self._observations = observations
        place = place or folder()
        self._exchange = Exchange(place, self.id) if place else None
        self._writer = WindowWriter(self.id, observations.state())
        self._stop = threading.Event()
        self._rounds = 0
        self._threads = [
            threading.Thread(target=self._publishing, name="metrics", daemon=True),
            threading.Thread(target=self._writing, name="windows", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Blocks a few seconds at most: a store that is away keeps no process from ending."""
        self._stop.set()
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
        try:
            self._writer.cut(self._observations.state())
            self._writer.write()
        except (DatabaseError, InterfaceError) as error:
            log.warning("windows_not_written", error=type(error).__name__)
            connection.close()
            return False
        except Exception:
            log.exception("windows_failed")
            return False
        return True
