"""Which version brought a serving process down: found by the processes that are left, or by its successor."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog
from django.conf import settings

from inference.runtime.recorder import Recorder, left_behind
from inference.runtime.surface import Session
from inference.serving.deaths import note_death

log = structlog.get_logger(__name__)


class CrashWatch:
    """From `begin` to `end` this process writes down what it runs (`Recorded`)."""

    def begin(self) -> None:
        global _recorder
        self.look_around()
        try:
            _recorder = Recorder(_folder())
        except OSError as error:
            log.warning("runs_not_recorded", error=type(error).__name__)

    def end(self) -> None:
        if _recorder is not None:
            _recorder.close()

    def look_around(self) -> None:
        for death in left_behind(_folder()):
            note_death(death)


def _folder() -> Path:
    """Each machine's own, should several share the data folder."""
    return Path(settings.DATA_DIR) / "run" / "running" / socket.gethostname()


_recorder: Recorder | None = None


class Recorded:
    """A session in this process whose digest is written down while it runs."""

    __slots__ = ("_digest", "_session", "close", "signature")

    def __init__(self, session: Session, sha256: str) -> None:
        self._session = session
        self._digest = bytes.fromhex(sha256)
        self.signature = session.signature
        self.close = session.close

    @property
    def memory_bytes(self) -> int:
        return self._session.memory_bytes

    def run(
        self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[np.ndarray]:
        if _recorder is None:
            return self._session.run(inputs, outputs, deadline=deadline)
        slot = _recorder.slot()
        slot.enter(self._digest)
        try:
            return self._session.run(inputs, outputs, deadline=deadline)
        finally:
            slot.leave()
