"""Validates an uploaded model in a confined child process and turns whatever happens to it into a report.

The calling process parses nothing of the model and imports neither onnx nor onnxruntime. The child's word is untrusted:
it is JSON of bounded size whose shape is checked.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from portal.lib.errors import Unavailable
from registry.artifacts.conversation import Conversation, OnStep
from registry.artifacts.limits import Limits
from registry.artifacts.nursery import nursery
from registry.artifacts.report import Report
from registry.artifacts.sniff import sniff
from registry.artifacts.store import HEAD_BYTES
from registry.artifacts.verdict import judge

# How much longer than the child's own limit the caller waits: the zygote's start and its word on how the child ended.
_PATIENCE = 30.0
_READ = 1 << 16
_BROKEN = {"signal": 0, "exit": 1, "timed_out": False, "cpu_seconds": 0.0}


def validate(path: Path, *, limits: Limits | None = None, on_step: OnStep | None = None) -> Report:
    """Never raises for what the model does. Raises Unavailable when no sandbox can be started.

    `on_step` is called with "lint", "checker", "load", "probe" as each begins.
    """
    limits = limits or Limits()
    with path.open("rb") as file:
        rejection = sniff(file.read(HEAD_BYTES), path.stat().st_size)
    if rejection is not None:
        return Report.rejected(rejection)
    for last in (False, True):
        started = time.monotonic()
        conversation = _converse(path, limits, on_step or _ignore)
        if conversation.verdict is not None:
            return judge(conversation, limits, time.monotonic() - started)
        if last:
            break
    raise _no_sandbox()


def _converse(path: Path, limits: Limits, on_step: OnStep) -> Conversation:
    conversation = Conversation(on_step, limits.report_bytes)
    with ExitStack() as stack:
        model = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, model)
        deadline = time.monotonic() + limits.scaled(limits.wall_seconds, os.fstat(model).st_size) + _PATIENCE
        report, verdict = _order(limits, model, stack)
        _listen(conversation, report, verdict, deadline)
    return conversation


def _order(limits: Limits, model: int, stack: ExitStack) -> tuple[int, socket.socket]:
    """Our ends of the child's pipe and of the zygote's socket; theirs are closed here once they are handed over."""
    report, writer = os.pipe()
    stack.callback(os.close, report)
    verdict, teller = socket.socketpair()
    stack.enter_context(verdict)
    try:
        nursery.order(limits, (model, writer, teller.fileno()))
    except OSError as error:
        raise _no_sandbox() from error
    finally:
        os.close(writer)
        teller.close()
    os.set_blocking(report, False)
    return report, verdict


def _listen(conversation: Conversation, report: int, verdict: socket.socket, deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(report, selectors.EVENT_READ)
        selector.register(verdict, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = {key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
            if report in ready and not _drain(conversation, report):
                selector.unregister(report)
            if verdict in ready:
                _drain(conversation, report)
                conversation.verdict = _verdict(verdict.recv(_READ))
                return
            if conversation.broken:
                # Nothing it says counts any more. The zygote kills it when our end of its socket closes.
                conversation.verdict = dict(_BROKEN)
                return


def _drain(conversation: Conversation, report: int) -> bool:
    """Read what is there; False at the end of the pipe. What is over the limit is read and dropped."""
    while True:
        try:
            data = os.read(report, _READ)
        except BlockingIOError:
            return True
        if not data:
            return False
        conversation.hear(data)
        if conversation.broken:
            return True


def _verdict(data: bytes) -> dict[str, Any] | None:
    return json.loads(data) if data else None


def _ignore(step: str) -> None:
    return None


def _no_sandbox() -> Unavailable:
    return Unavailable(
        "The model could not be validated just now. Try again in a minute.", code="sandbox_unavailable", retry_after=60
    )
