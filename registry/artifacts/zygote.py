"""The warm parent of the sandboxes: imports the libraries once, then forks a child for each model.

It is started as a fresh program, so it holds nothing of the process that started it: no database connection, no
environment, no threads. Orders come over a Unix socket, one line of JSON with three descriptors: the model, the pipe
for the child's report, and a socket on which the zygote itself says how the child ended.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import resource
import selectors
import signal
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from registry.artifacts.confine import confine
from registry.artifacts.examine import Examination, warm_up
from registry.artifacts.limits import Limits

_PATIENCE = 5.0
_LINE = 4096


@dataclass(slots=True)
class _Child:
    pid: int
    verdict: socket.socket
    deadline: float
    timed_out: bool = False


class Zygote:
    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._parent = os.getppid()
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._bell, writer = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the process that started it is gone."""
        self._selector.register(self._orders, selectors.EVENT_READ, self._take)
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear)
        try:
            while os.getppid() == self._parent:
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._end_late()
                self._reap()
        except EOFError:
            pass
        finally:
            self._close()

    def _take(self) -> None:
        line, descriptors, _, _ = socket.recv_fds(self._orders, _LINE, 3)
        if not line:
            raise EOFError
        model, report, verdict = descriptors
        limits = Limits(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _become_child(model, report, limits)
        seconds = limits.scaled(limits.wall_seconds, os.fstat(model).st_size)
        os.close(model)
        os.close(report)
        child = _Child(pid, socket.socket(fileno=verdict), time.monotonic() + seconds)
        self._children[pid] = child
        # The caller never writes here: readable means that it is gone.
        self._selector.register(child.verdict, selectors.EVENT_READ, lambda: self._kill(child))

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._bell, 512)

    def _patience(self) -> float:
        now = time.monotonic()
        return max(0.0, min([_PATIENCE, *(child.deadline - now for child in self._children.values())]))

    def _end_late(self) -> None:
        for child in self._children.values():
            if child.deadline <= time.monotonic():
                child.timed_out = True
                self._kill(child)

    def _kill(self, child: _Child) -> None:
        child.deadline = float("inf")
        for end in (os.killpg, os.kill):
            with suppress(OSError):
                end(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                self._finish(self._children.pop(pid), status, usage)

    def _finish(self, child: _Child, status: int, usage: resource.struct_rusage) -> None:
        self._selector.unregister(child.verdict)
        # What the child may have left behind in its group goes with it.
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(status)
        verdict = {
            "signal": -code if code < 0 else 0,
            "exit": max(code, 0),
            "timed_out": child.timed_out,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        }
        with suppress(OSError):
            child.verdict.sendall(json.dumps(verdict).encode() + b"\n")
        child.verdict.close()

    def _close(self) -> None:
        for child in self._children.values():
            self._kill(child)


def _become_child(model: int, report: int, limits: Limits) -> None:
    """Never returns. The exit status is 0 when a report has been written."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _examine(*_keep_only(model, report), limits)
        status = 0
    except MemoryError:
        status = 2
    finally:
        os._exit(status)


def _keep_only(model: int, report: int) -> tuple[int, int, int | None]:
    """Close all descriptors but these and move them to 3, 4 and 5; standard input and output lead nowhere."""
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        statm = None
    kept = [os.open(os.devnull, os.O_RDWR), model, report, *([] if statm is None else [statm])]
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in kept]
    for low in range(3):
        os.dup2(high[0], low)
    for index, descriptor in enumerate(high[1:]):
        os.dup2(descriptor, 3 + index, inheritable=False)
    os.closerange(2 + len(high), os.sysconf("SC_OPEN_MAX"))
    return 3, 4, None if statm is None else 5


def _examine(model: int, report: int, statm: int | None, limits: Limits) -> None:
    def send(line: dict[str, Any]) -> None:
        data = memoryview(json.dumps(line, allow_nan=False).encode() + b"\n")
        while data:
            data = data[os.write(report, data) :]

    abi = confine(limits, os.fstat(model).st_size)
    send({"sandbox": {"landlock": abi}})
    send({"report": Examination(model, limits, statm, send).report().as_json()})


def _move_to_nowhere() -> None:
    """Work in a folder that is empty and already removed: nothing relative to it can be read or made."""
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def main(descriptor: int) -> None:
    # Ctrl-C in a terminal reaches the whole group; the zygote ends when its starter does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _move_to_nowhere()
    warm_up()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as orders:
        Zygote(orders).run()
