"""The warm parent of the sandboxes: imports the libraries once, then forks a child for each model.

It is started as a fresh program, so it holds nothing of the process that started it: no database connection, no
environment, no threads. Orders come over a Unix socket, one line of JSON with these descriptors: the model or archive,
the pipe for the child's report, a socket on which the zygote itself says how the child ended, and the data files beside
the model.
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
from typing import Any, NamedTuple

from registry.artifacts.confine import confine
from registry.artifacts.examine import Examination, warm_up
from registry.artifacts.extract import Extraction
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.politeness import waited_seconds

_PATIENCE = 5.0
_LINE = 1 << 16
_MOST_DESCRIPTORS = 253


@dataclass(slots=True)
class _Child:
    pid: int
    verdict: socket.socket
    began_at: float
    seconds: float
    waiting_seconds: float
    deadline: float = 0.0
    timed_out: bool = False
    starved: bool = False

    def __post_init__(self) -> None:
        self.deadline = self.began_at + self.seconds


class _Errand(NamedTuple):
    """`archive` is the kind of the archive that is to be unpacked; empty for a model that is to be examined."""

    archive: str
    names: tuple[str, ...]
    limits: Limits


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
        order, descriptors = self._order()
        model, report, verdict, *data = descriptors
        errand = _Errand(order["archive"], tuple(order["names"]), Limits(**order["limits"]))
        size = OpenModel(model, dict(zip(errand.names, data, strict=True))).size
        pid = os.fork()
        if pid == 0:
            _become_child(errand, [model, report, *data], size)
        seconds = errand.limits.scaled(errand.limits.wall_seconds, size)
        for descriptor in (model, report, *data):
            os.close(descriptor)
        waiting = errand.limits.scaled(errand.limits.waiting_seconds, size)
        child = _Child(pid, socket.socket(fileno=verdict), time.monotonic(), seconds, waiting)
        self._children[pid] = child
        # The caller never writes here: readable means that it is gone.
        self._selector.register(child.verdict, selectors.EVENT_READ, lambda: self._kill(child))

    def _order(self) -> tuple[dict[str, Any], list[int]]:
        """One line; the descriptors come with its beginning."""
        line, descriptors, _, _ = socket.recv_fds(self._orders, _LINE, _MOST_DESCRIPTORS)
        while line and not line.endswith(b"\n"):
            more = self._orders.recv(_LINE)
            line = line + more if more else b""
        if not line:
            raise EOFError
        return json.loads(line), descriptors

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._bell, 512)

    def _patience(self) -> float:
        now = time.monotonic()
        return max(0.0, min([_PATIENCE, *(child.deadline - now for child in self._children.values())]))

    def _end_late(self) -> None:
        """The time for which a child was kept from the processors is not its model's fault and does not count."""
        for child in self._children.values():
            now = time.monotonic()
            if child.deadline <= now:
                waited = waited_seconds(child.pid, now - child.began_at)
                child.deadline = child.began_at + child.seconds + min(waited, child.waiting_seconds)
                if child.deadline <= now:
                    child.timed_out, child.starved = True, waited > child.waiting_seconds
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
            "starved": child.starved,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        }
        with suppress(OSError):
            child.verdict.sendall(json.dumps(verdict).encode() + b"\n")
        child.verdict.close()

    def _close(self) -> None:
        for child in self._children.values():
            self._kill(child)


def _become_child(errand: _Errand, descriptors: list[int], size: int) -> None:
    """Never returns. The exit status is 0 when a report has been written."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _run(errand, _keep_only(descriptors), size)
        status = 0
    except MemoryError:
        status = 2
    finally:
        os._exit(status)


def _keep_only(descriptors: list[int]) -> int | None:
    """Close all descriptors but these and move them to 3 and up; standard input and output lead nowhere.

    Behind them comes the open /proc/self/statm, whose number is returned; None where there is none.
    """
    try:
        statm = [os.open("/proc/self/statm", os.O_RDONLY)]
    except OSError:
        statm = []
    kept = [os.open(os.devnull, os.O_RDWR), *descriptors, *statm]
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(64, 4 + len(kept))) for descriptor in kept]
    for low in range(3):
        os.dup2(high[0], low)
    for index, descriptor in enumerate(high[1:]):
        os.dup2(descriptor, 3 + index, inheritable=False)
    os.closerange(2 + len(high), os.sysconf("SC_OPEN_MAX"))
    return 3 + len(descriptors) if statm else None


def _run(errand: _Errand, statm: int | None, size: int) -> None:
    """The model is descriptor 3, the pipe 4, the data files follow in the order of their names."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(4, view) :]

    def send(line: dict[str, Any]) -> None:
        write(json.dumps(line, allow_nan=False).encode() + b"\n")

    abi = confine(errand.limits, size, len(errand.names))
    if errand.archive:
        with open(3, "rb", closefd=False) as archive:
            Extraction(errand.limits, send, write).run(archive, errand.archive)
        return
    data = {name: 5 + index for index, name in enumerate(errand.names)}
    send({"sandbox": {"landlock": abi}})
    send({"report": Examination(OpenModel(3, data), errand.limits, statm, send).report().as_json()})


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
