"""Keeps one process of a model alive: starts it, waits for its end, says what killed it, starts it again."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic, time

import structlog

from inference.runtime.deaths import Death
from inference.runtime.isolated import faults
from inference.runtime.isolated.backoff import BackOff
from inference.runtime.isolated.endings import Ending
from inference.runtime.isolated.process import Assignment, ModelProcess
from portal.lib.errors import PortalError

# A model that takes longer to load than this will not be waited for.
START_SECONDS = 120.0
_LOOK_AROUND = 10.0
log = structlog.get_logger(__name__)


class Supervisor:
    """Its one thread makes each process and outlives it, as the process ends with the thread that made it."""

    def __init__(self, assignment: Assignment, sha256: str, on_death: Callable[[Death], None]) -> None:
        self._assignment = assignment
        self._sha256 = sha256
        self._on_death = on_death
        self._owner = os.getpid()
        self._changed = Condition()
        self._process: ModelProcess | None = None
        self._newest: ModelProcess | None = None
        self._resumes_at = 0.0
        self._closed = False
        self._loaded_once = False
        # Why the files could not be opened the last time.
        self._unopened: PortalError | None = None
        self.restarts = 0

    def start(self) -> None:
        """Returns when the model is loaded. Raises Unavailable (`model_not_loadable`), or why it cannot be opened."""
        Thread(target=self._watch, name="isolated-model", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._loaded_once or self._closed)
            if not self._loaded_once:
                raise faults.again(self._unopened) if self._unopened else faults.not_loadable()

    def process(self, until: float) -> ModelProcess:
        """The process that is ready, waited for until then if it is just starting. Raises PortalError."""
        with self._changed:
            while not self._closed:
                if self._process is not None:
                    return self._process
                now = monotonic()
                if self._resumes_at > now:
                    if self._unopened is not None:
                        raise faults.again(self._unopened)
                    raise faults.restarting(self._resumes_at - now)
                if now >= until or not self._changed.wait(until - now):
                    raise faults.too_late()
            raise faults.unloaded()

    @property
    def newest(self) -> ModelProcess | None:
        """The process that was started last, whatever has become of it."""
        return self._newest

    def close(self) -> None:
        """Ends the process at once and waits for nothing, so that it can be called from anywhere."""
        if os.getpid() != self._owner:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._newest is not None:
                self._newest.kill("stopped")

    def _watch(self) -> None:
        back_off = BackOff()
        while not self._closed:
            process = self._launch()
            if process is not None:
                while not process.wait(_LOOK_AROUND):
                    process.conversation.forget_if_idle()
            seconds = back_off.delay(monotonic())
            self._note_end(seconds)
            if process is not None:
                self._report(process, process.bury())
            self._pause(seconds)

    def _launch(self) -> ModelProcess | None:
        try:
            with self._assignment.opener() as model:
                self._unopened = None
                return self._load(ModelProcess(self._assignment, model))
        except PortalError as error:
            self._unopened = error
            log.error("isolated_model_not_opened", sha256=self._sha256, code=error.code)
        except OSError:
            log.exception("isolated_model_not_started", sha256=self._sha256)
        return None

    def _load(self, process: ModelProcess) -> ModelProcess:
        with self._changed:
            self._newest = process
            if self._closed:
                process.kill("stopped")
        if process.load(monotonic() + START_SECONDS):
            with self._changed:
                self._process = process
                self._loaded_once = True
                self._changed.notify_all()
        return process

    def _note_end(self, seconds: float) -> None:
        with self._changed:
            self._process = None
            self._resumes_at = monotonic() + seconds if seconds else 0.0
            if not self._loaded_once:
                self._closed = True
            self._changed.notify_all()

    def _report(self, process: ModelProcess, ending: Ending | None) -> None:
        if ending is None or ending.cause is None:
            return
        death = Death(uuid.uuid4().hex, self._sha256, ending.cause, ending.signal, True, process.pid, time())
        try:
            self._on_death(death)
        except Exception:
            log.exception("death_not_reported", sha256=self._sha256)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
            self._resumes_at = 0.0
            self.restarts += not self._closed
