"""The handle on this process's zygote: starts it when first needed, again when it died, and lets it go at the end.

A forked process (a Celery prefork worker, gunicorn) forgets its parent's zygote and starts its own.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from registry.artifacts.zygote import main; main(int(sys.argv[2]))"
)
# One thread, so that forking is safe: numpy's and the runtime's helper threads stay away.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "LANG": "C.UTF-8",
}
_PASSED_ON = ("LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
_FAREWELL = 2.0


class Nursery:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    def order(self, errand: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Have a child forked that gets these descriptors. Raises OSError when there is no zygote to be had."""
        line = json.dumps(errand).encode() + b"\n"
        with self._lock:
            for last in (False, True):
                try:
                    orders = self._running()
                    sent = socket.send_fds(orders, [line], descriptors)
                    orders.sendall(line[sent:])
                    return
                except (BrokenPipeError, ConnectionResetError):
                    self._let_go()
                    if last:
                        raise

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def forget(self) -> None:
        """After a fork: the zygote is the parent's, so only this process's copy of the socket is closed."""
        self._lock = threading.Lock()
        if self._orders is not None:
            self._orders.close()
        if self._program is not None:
            self._program.returncode = 0
        self._program = self._orders = None

    def _running(self) -> socket.socket:
        if self._orders is None or self._program is None or self._program.poll() is not None:
            self._let_go()
            self._start()
        assert self._orders is not None
        return self._orders

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        environment = {**_ENVIRONMENT, **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}}
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, _ROOT, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._orders = ours

    def _let_go(self) -> None:
        if self._orders is not None:
            self._orders.close()
        if self._program is not None:
            _wait(self._program)
        self._program = self._orders = None


def _wait(program: subprocess.Popen[bytes]) -> None:
    try:
        program.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


nursery = Nursery()
atexit.register(nursery.close)
os.register_at_fork(after_in_child=nursery.forget)
