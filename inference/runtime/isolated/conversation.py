"""What a serving process says to a model's process and hears from it: one run at a time, each in its time."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from time import monotonic
from typing import Any

import numpy as np

from inference.runtime.isolated import faults
from inference.runtime.isolated.endings import Blame
from inference.runtime.isolated.layout import Placed, lay_out, write
from inference.runtime.isolated.replies import parse_needs, parse_outputs, parse_refusal
from inference.runtime.isolated.segment import make_segment, roomy
from inference.runtime.isolated.wire import Gone, Kind, NotRead, OddReply, encode, receive_reply, send_order
from portal.lib.errors import PortalError
from registry.artifacts.signature import TensorSpec

# How long past its deadline a run may take to notice that it is to stop.
GRACE = 0.25
# Memory of more than this goes back once it has not been used for that long.
LARGE = 1 << 20
IDLE_SECONDS = 30.0


class Conversation:
    def __init__(self, ours: socket.socket, limit_bytes: int, kill: Callable[[Blame], None]) -> None:
        self._ours = ours
        self._limit_bytes = limit_bytes
        self._kill = kill
        self._turn = Lock()
        self._over = Event()
        self._over.set()
        self._died_running = False
        self._used_at = monotonic()
        self._inputs: mmap.mmap | None = None
        self._outputs: mmap.mmap | None = None

    def begin(self, order: dict[str, Any], until: float) -> bool:
        """Have the model loaded. False when that failed; only a process that died of it counts as died running."""
        try:
            send_order(self._ours, encode(Kind.START, order), until)
            kind, _ = receive_reply(self._ours, until)
        except (NotRead, Gone):
            self._died_running = True
            return False
        except (TimeoutError, OddReply) as error:
            self._died_running = True
            self._kill("hung" if isinstance(error, TimeoutError) else "odd")
            return False
        if kind != Kind.READY:
            self._kill("stopped")
        return kind == Kind.READY

    def run(self, inputs: dict[str, np.ndarray], specs: Sequence[TensorSpec], until: float) -> list[np.ndarray]:
        """Copies of the outputs. Raises PortalError, NotRead when it never began, Gone when the process ended in it."""
        placed, size = _laid_out(inputs)
        if size > self._limit_bytes:
            raise faults.out_of_memory()
        if not self._turn.acquire(timeout=max(0.0, until - monotonic())):
            raise faults.too_late()
        try:
            with self._in_step():
                return self._ask(list(inputs), placed, size, specs, until)
        finally:
            self._turn.release()

    def forget_if_idle(self) -> None:
        """Give large memory back that has not been used for a while."""
        if monotonic() - self._used_at < IDLE_SECONDS or not self._turn.acquire(blocking=False):
            return
        try:
            if any(memory is not None and len(memory) > LARGE for memory in (self._inputs, self._outputs)):
                with self._in_step():
                    self._forget(monotonic() + GRACE)
        except (NotRead, Gone, PortalError):
            pass
        finally:
            self._turn.release()

    def end(self) -> bool:
        """Close it, as the process has ended. Whether it ended in the middle of something."""
        if not self._over.wait(1.0):
            # Somebody else holds the other end open.
            self._ours.shutdown(socket.SHUT_RDWR)
        with self._turn:
            self._ours.close()
            self._inputs = self._outputs = None
        return self._died_running

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Whatever happens, the two sides never get out of step: either the exchange is whole or the process ends."""
        self._over.clear()
        try:
            if self._ours.fileno() < 0:
                raise NotRead
            yield
        except (PortalError, NotRead):
            raise
        except Gone:
            self._died_running = True
            raise
        except (TimeoutError, OddReply) as error:
            self._died_running = True
            late = isinstance(error, TimeoutError)
            self._kill("hung" if late else "odd")
            raise (faults.too_late() if late else faults.crashed()) from None
        except BaseException:
            self._kill("stopped")
            raise
        finally:
            self._used_at = monotonic()
            self._over.set()

    def _ask(
        self, names: list[str], placed: list[Placed], size: int, specs: Sequence[TensorSpec], until: float
    ) -> list[np.ndarray]:
        if self._inputs is None or len(self._inputs) < size:
            self._inputs = None
            self._inputs = self._share(Kind.INPUT_MEMORY, size, until)
        write(placed, self._inputs)
        places = [(name, *item.place) for name, item in zip(names, placed, strict=True)]
        order = encode(Kind.RUN, (max(0.0, until - monotonic()), places, [spec.name for spec in specs]))
        send_order(self._ours, order, until + GRACE)
        kind, body = receive_reply(self._ours, until + GRACE)
        if kind == Kind.NEEDS:
            self._grow(body, until)
            kind, body = receive_reply(self._ours, until + GRACE)
        if kind == Kind.REFUSED:
            raise parse_refusal(body)
        if kind != Kind.DONE or self._outputs is None:
            raise OddReply("not an answer")
        return parse_outputs(body, specs, self._outputs)

    def _grow(self, body: bytes, until: float) -> None:
        """The process waits for memory now, or to be told that it gets none."""
        try:
            size = parse_needs(body, self._limit_bytes)
            self._outputs = None
            self._outputs = self._share(Kind.OUTPUT_MEMORY, size, until)
        except PortalError:
            self._forget(until)
            raise

    def _share(self, kind: Kind, size: int, until: float) -> mmap.mmap:
        try:
            descriptor, memory = make_segment(roomy(size))
        except (OSError, MemoryError):
            raise faults.no_memory() from None
        try:
            send_order(self._ours, encode(kind, len(memory)), until + GRACE, descriptor)
        finally:
            os.close(descriptor)
        return memory

    def _forget(self, until: float) -> None:
        self._inputs = self._outputs = None
        send_order(self._ours, encode(Kind.FORGET_MEMORY), until + GRACE)


def _laid_out(inputs: dict[str, np.ndarray]) -> tuple[list[Placed], int]:
    try:
        return lay_out(inputs.values())
    except ValueError as error:
        raise faults.refused(str(error)) from None
