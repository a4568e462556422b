"""What waits to become rows, captured answers and disagreements: written off the request path, every two seconds.

What waits is bounded; what is over is dropped and counted. While PostgreSQL is away, what waits stays.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError, connection

from inference.models import Disagreement, PredictionRecord
from inference.monitoring.observe import count
from inference.monitoring.state import CAPTURED, DISAGREEMENTS
from inference.serving.record_rows import write_captured, write_disagreements

log = structlog.get_logger(__name__)
WRITE_SECONDS = 2.0
PATIENCE_SECONDS = 3.0
MOST_WAITING, MOST_BYTES = 2_000, 64 << 20
MOST_PER_FLUSH = 20
# What the metrics call them; the result is "ok", "dropped" or "failed".

# All other errors are the rows' own: trying again would not help.
AWAY = (OperationalError, InterfaceError)

Draft = Callable[[], PredictionRecord]


class RecordWriter:
    """`keep` and `disagree` may be called from any thread; a thread of its own, begun with the first, writes."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """For a forked child: it has none of its parent's threads, and what the parent holds the parent writes."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._drafts: deque[tuple[Draft, int]] = deque()
        self._n_bytes = 0
        self._captured: list[PredictionRecord] = []
        self._disagreements: list[Disagreement] = []
        self._full: set[int] = set()

    # --- from any thread ----------------------------------------------------------------------------------------------

    def keep(self, draft: Draft, n_bytes: int) -> bool:
        """`draft` makes the row later, off the path; until then it holds on to `n_bytes`. False where it is dropped."""
        with self._lock:
            n_waiting = len(self._drafts) + len(self._captured)
            fits = n_waiting < MOST_WAITING and self._n_bytes + n_bytes <= MOST_BYTES
            if fits:
                self._drafts.append((draft, n_bytes))
                self._n_bytes += n_bytes
        if not fits:
            count(CAPTURED, "dropped")
            return False
        self._begin()
        return True

    def wants(self, rollout_id: int) -> bool:
        """Whether a further disagreement of this rollout would be kept: asked before its texts are made."""
        return rollout_id not in self._full and len(self._disagreements) < MOST_PER_FLUSH

    def disagree(self, row: Disagreement) -> bool:
        if not self.wants(row.rollout_id):
            return False
        with self._lock:
            self._disagreements.append(row)
        self._begin()
        return True

    def stop(self) -> None:
        """Writes a last time; a store that is away keeps no process from ending."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_SECONDS)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="records", daemon=True)
                    self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            if not self._wake.wait(WRITE_SECONDS):
                connection.close()
                self._wake.wait()
            self._wake.clear()
            stopping = self._stop.wait(WRITE_SECONDS)
            if not self.flush():
                connection.close()
                self._wake.set()
        connection.close()

    def flush(self) -> bool:
        """Writes what waits; False where PostgreSQL did not take it, which loses nothing. Not for several threads."""
        self._make_rows()
        try:
            self._write_captured()
            self._write_disagreements()
        except AWAY as error:
            log.warning("records_not_written", error=type(error).__name__)
            return False
        except Exception:
            log.exception("records_failed")
            count(CAPTURED, "failed", len(self._captured))
            self._captured = []
        return True

    def _make_rows(self) -> None:
        for _ in range(len(self._drafts)):
            with self._lock:
                draft, n_bytes = self._drafts.popleft()
                self._n_bytes -= n_bytes
            try:
                self._captured.append(draft())
            except Exception:
                count(CAPTURED, "failed")
                log.exception("record_not_made")

    def _write_captured(self) -> None:
        if self._captured:
            count(CAPTURED, n=write_captured(self._captured))
            self._captured = []

    def _write_disagreements(self) -> None:
        with self._lock:
            rows, self._disagreements = self._disagreements, []
        if not rows:
            return
        try:
            n_written, full = write_disagreements(rows)
        except AWAY:
            with self._lock:
                self._disagreements = rows + self._disagreements
            raise
        self._full |= full
        count(DISAGREEMENTS, n=n_written)


RECORDS = RecordWriter()
os.register_at_fork(after_in_child=RECORDS.forget)
