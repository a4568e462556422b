"""A session whose model runs in a process of its own, so that nothing that the model does ends the serving process."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import numpy as np

from inference.runtime.deaths import Death
from inference.runtime.isolated import faults
from inference.runtime.isolated.process import Assignment, ModelProcess
from inference.runtime.isolated.supervisor import Supervisor
from inference.runtime.isolated.wire import Gone, NotRead
from inference.runtime.opening import Opener, opener_of
from portal.lib.errors import PortalError
from registry.artifacts.signature import Signature, TensorSpec

DEFAULT_SECONDS = 30.0
# A process that closed its end is about to be seen as ended.
_AFTERMATH = 2.0


class IsolatedSession:
    """The surface of ModelSession. Any number of threads may call `run`; the model answers them one by one."""

    def __init__(
        self,
        source: str | Path | Opener,
        signature: Signature,
        *,
        memory_bytes: int,
        limit_bytes: int,
        sha256: str,
        on_death: Callable[[Death], None],
        threads: int = 1,
    ) -> None:
        """Returns when the model is loaded. Raises Unavailable (`model_not_loadable`), and what opening it raises.

        `source` is opened at each start of the process. `memory_bytes` is an estimate for as long as nothing better is
        known. `on_death` is called from another thread; neither it nor `source` may hold on to this session, or the
        process stays until `close`.
        """
        self.signature = signature
        self._specs = {spec.name: spec for spec in signature.outputs}
        self._estimate = memory_bytes
        self._supervisor = Supervisor(Assignment(opener_of(source), signature, threads, limit_bytes), sha256, on_death)
        self._end = weakref.finalize(self, self._supervisor.close)
        self._supervisor.start()

    def run(
        self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[np.ndarray]:
        """The outputs in the order asked for, or in the signature's. `deadline` is in seconds of `time.monotonic`.

        Raises Unprocessable (`model_refused`, `output_not_json`, `model_crashed`, `model_out_of_memory`),
        DeadlineExceeded at the deadline and a quarter of a second, without one after thirty seconds, and Unavailable
        (`model_restarting`, `model_unloaded`, `memory_exhausted`).
        """
        until = monotonic() + DEFAULT_SECONDS if deadline is None else deadline
        specs = self._wanted(outputs)
        while monotonic() < until:
            process = self._supervisor.process(until)
            try:
                return process.conversation.run(inputs, specs, until)
            except NotRead:
                # It ended before it saw these values, so that they may go to its successor.
                process.ended.wait(max(0.0, until - monotonic()))
            except Gone:
                raise _explanation(process) from None
        raise faults.too_late()

    @property
    def memory_bytes(self) -> int:
        """What the process occupies, its libraries and the tensors in shared memory included."""
        process = self._supervisor.newest
        return (None if process is None else process.resident_bytes()) or self._estimate

    @property
    def pid(self) -> int | None:
        process = self._supervisor.newest
        return None if process is None or process.ended.is_set() else process.pid

    @property
    def restarts(self) -> int:
        return self._supervisor.restarts

    def close(self) -> None:
        """Ends the process at once, and a run in progress with it. Harmless when it is closed already."""
        self._end()
        process = self._supervisor.newest
        if process is not None:
            process.ended.wait(_AFTERMATH)

    def _wanted(self, outputs: Sequence[str] | None) -> list[TensorSpec]:
        try:
            return [self._specs[name] for name in outputs or self._specs]
        except KeyError:
            raise faults.refused("it has no such output") from None


def _explanation(process: ModelProcess) -> PortalError:
    process.ended.wait(_AFTERMATH)
    cause, signal = process.ending
    if cause == "out_of_memory":
        return faults.out_of_memory()
    if cause is None and process.ended.is_set():
        return faults.unloaded()
    return faults.crashed(signal)
