"""The program of a model's process: loads one model and runs it for the process that started it, and for no other."""

from __future__ import annotations

import mmap
import os
import socket
from time import monotonic
from typing import Any

import numpy as np

from inference.runtime.isolated.confinement import confine, keep_in_memory
from inference.runtime.isolated.endings import EXIT_MEMORY
from inference.runtime.isolated.layout import Place, lay_out, read, write
from inference.runtime.isolated.segment import open_segment
from inference.runtime.isolated.wire import Kind, Order, receive_order, reply
from inference.runtime.session import ModelSession, load_session
from portal.lib.errors import PortalError, Unprocessable
from registry.artifacts import landlock
from registry.artifacts.model_files import OpenModel, mapped
from registry.artifacts.runtime_errors import is_memory
from registry.artifacts.signature import Signature

_TOLD = {"model_refused", "output_not_json", "deadline_exceeded"}


class ModelProgram:
    def __init__(self, theirs: socket.socket) -> None:
        self._theirs = theirs
        self._inputs: mmap.mmap | None = None
        self._outputs: mmap.mmap | None = None

    def serve(self) -> None:
        """Until the other side is gone, which raises EOFError."""
        session = self._load(receive_order(self._theirs).body)
        while session is not None:
            order = receive_order(self._theirs)
            if order.kind == Kind.RUN:
                self._answer(session, order.body)
            else:
                self._remember(order)

    def _load(self, wanted: dict[str, Any]) -> ModelSession | None:
        given = OpenModel(wanted["main"], wanted["data"])
        try:
            model = OpenModel(keep_in_memory(given.main), {})
            beside = mapped(given.data)
            signature = Signature.from_json(wanted["signature"])
            version = confine(wanted["limit_bytes"], len(given.data))
            # What the model's code prints is nobody's; standard input leads nowhere.
            os.dup2(0, 2)
            session = load_session(model, signature, threads=wanted["threads"], beside=beside)
        except (PortalError, OSError):
            reply(self._theirs, Kind.FAILED)
            return None
        given.close()
        if model.main != given.main:
            model.close()
        reply(self._theirs, Kind.READY, version)
        return session

    def _remember(self, order: Order) -> None:
        if order.kind == Kind.FORGET_MEMORY:
            self._inputs = self._outputs = None
        elif order.kind == Kind.INPUT_MEMORY:
            self._inputs = None
            self._inputs = _opened(order, read_only=True)
        elif order.kind == Kind.OUTPUT_MEMORY:
            self._outputs = None
            self._outputs = _opened(order, read_only=False)

    def _answer(self, session: ModelSession, body: Any) -> None:
        try:
            answer = _tensors(self._run(session, body))
        except (PortalError, MemoryError) as error:
            self._refuse(error)
            return
        self._hand_over(*answer)

    def _run(self, session: ModelSession, body: Any) -> list[np.ndarray]:
        seconds, inputs, names = body
        deadline = monotonic() + seconds
        if self._inputs is None:
            raise MemoryError
        feeds = {
            name: read(Place(datatype, tuple(shape), offset, size), self._inputs, copy=False)
            for name, datatype, shape, offset, size in inputs
        }
        return session.run(feeds, names, deadline=deadline)

    def _hand_over(self, placed: list[Any], size: int) -> None:
        if self._outputs is None or len(self._outputs) < size:
            reply(self._theirs, Kind.NEEDS, max(1, size))
            self._remember(receive_order(self._theirs))
            if self._inputs is None:
                return
            if self._outputs is None:
                self._refuse(MemoryError())
                return
        write(placed, self._outputs)
        reply(self._theirs, Kind.DONE, [tuple(item.place) for item in placed])

    def _refuse(self, error: Exception) -> None:
        code = error.code if isinstance(error, PortalError) and error.code in _TOLD else "model_refused"
        # The session's sentence may have lost what the runtime said.
        if is_memory(error) or (error.__context__ is not None and is_memory(error.__context__)):
            code = "model_out_of_memory"
        reply(self._theirs, Kind.REFUSED, [code, str(error)])


def _opened(order: Order, *, read_only: bool) -> mmap.mmap | None:
    """None where there is not enough memory, which the next run says."""
    try:
        return open_segment(order.descriptor, order.body, read_only=read_only)
    except (OSError, MemoryError):
        return None


def _tensors(outputs: list[np.ndarray]) -> tuple[list[Any], int]:
    try:
        return lay_out(outputs)
    except ValueError:
        raise Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json") from None


def main(descriptor: int, starter: int) -> None:
    landlock.drop_privileges()
    status = 1
    try:
        if os.getppid() == starter:
            ModelProgram(socket.socket(fileno=descriptor)).serve()
        status = 0
    except (EOFError, ConnectionError):
        status = 0
    except MemoryError:
        status = EXIT_MEMORY
    finally:
        # Without the interpreter's farewell: other threads may hold what it would take apart.
        os._exit(status)
