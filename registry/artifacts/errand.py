"""Sends a sandbox child on an errand and listens to it until it has ended. The child's word is untrusted.

The calling process parses nothing of the files and imports neither onnx nor onnxruntime.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple, Protocol, TypeVar

from portal.lib.errors import Unavailable
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.nursery import nursery

# How much longer than the child's own limit the caller waits: the zygote's start and its word on how the child ended.
_PATIENCE = 30.0
_READ = 1 << 18
_TRIES = 2
_BROKEN = {"signal": 0, "exit": 1, "timed_out": False, "starved": False, "cpu_seconds": 0.0}


class Errand(NamedTuple):
    """A model to be examined; where `archive` is "zip" or "tar", one to be unpacked. The caller closes what is open."""

    model: OpenModel
    limits: Limits
    archive: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"archive": self.archive, "names": list(self.model.data), "limits": self.limits.as_json()}


class Hearer(Protocol):
    """`broken` once nothing more of it counts. `verdict` is the zygote's word on the end, None when the zygote died."""

    broken: bool
    verdict: dict[str, Any] | None

    def hear(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Lets go of what was heard halfway. A hearer that is returned is its caller's to close."""


H = TypeVar("H", bound=Hearer)


def run(errand: Errand, new_hearer: Callable[[], H]) -> H:
    """Each try gets a new hearer. Raises Unavailable when no sandbox can be started, and whatever a hearer raises."""
    for _ in range(_TRIES):
        hearer = new_hearer()
        try:
            _converse(errand, hearer)
        except BaseException:
            hearer.close()
            raise
        if hearer.verdict is not None:
            return hearer
        hearer.close()
    raise _no_sandbox()


def _converse(errand: Errand, hearer: Hearer) -> None:
    with ExitStack() as stack:
        longest = errand.limits.wall_seconds + errand.limits.waiting_seconds
        deadline = time.monotonic() + errand.limits.scaled(longest, errand.model.size) + _PATIENCE
        report, verdict = _order(errand, stack)
        _listen(hearer, report, verdict, deadline)


def _order(errand: Errand, stack: ExitStack) -> tuple[int, socket.socket]:
    """Our ends of the child's pipe and of the zygote's socket; theirs are closed here once they are handed over."""
    report, writer = os.pipe()
    stack.callback(os.close, report)
    verdict, teller = socket.socketpair()
    stack.enter_context(verdict)
    model = errand.model
    try:
        nursery.order(errand.as_json(), (model.main, writer, teller.fileno(), *model.data.values()))
    except OSError as error:
        raise _no_sandbox() from error
    finally:
        os.close(writer)
        teller.close()
    os.set_blocking(report, False)
    return report, verdict


def _listen(hearer: Hearer, report: int, verdict: socket.socket, deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(report, selectors.EVENT_READ)
        selector.register(verdict, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = {key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
            if report in ready and not _drain(hearer, report):
                selector.unregister(report)
            if verdict in ready:
                _drain(hearer, report)
                hearer.verdict = _verdict(verdict.recv(_READ))
                return
            if hearer.broken:
                # Nothing it says counts any more. The zygote kills it when our end of its socket closes.
                hearer.verdict = dict(_BROKEN)
                return


def _drain(hearer: Hearer, report: int) -> bool:
    """Read what is there; False at the end of the pipe."""
    while True:
        try:
            data = os.read(report, _READ)
        except BlockingIOError:
            return True
        if not data:
            return False
        hearer.hear(data)
        if hearer.broken:
            return True


def _verdict(data: bytes) -> dict[str, Any] | None:
    return json.loads(data) if data else None


def _no_sandbox() -> Unavailable:
    return Unavailable(
        "The model could not be validated just now. Try again in a minute.", code="sandbox_unavailable", retry_after=60
    )
