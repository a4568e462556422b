"""One process of one model, from its start to its end: talks to it, ends it, knows how it ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, RLock
from typing import NamedTuple

from inference.runtime.isolated.conversation import Conversation
from inference.runtime.isolated.endings import Blame, Ending, judge
from inference.runtime.isolated.starvation import is_starved
from inference.runtime.opening import Opener
from registry.artifacts.model_files import OpenModel
from registry.artifacts.signature import Signature

_ROOT = str(Path(__file__).resolve().parents[3])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from inference.runtime.isolated.child import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    # Each of glibc's arenas takes 64 MB of address space, and the limit counts that.
    "MALLOC_ARENA_MAX": "1",
    "LANG": "C.UTF-8",
}
_PASSED_ON = ("LD_LIBRARY_PATH", "SYSTEMROOT")


class Assignment(NamedTuple):
    """What a process is for. `limit_bytes` of memory are for the model and its tensors; the runtime's come on top."""

    opener: Opener
    signature: Signature
    threads: int
    limit_bytes: int


class ModelProcess:
    """The thread that makes it must live as long as it: on Linux the process dies with that thread."""

    def __init__(self, assignment: Assignment, model: OpenModel) -> None:
        """The files have to stay open until `load` is over. Raises OSError when no process can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._program = _start(theirs.fileno(), (model.main, *model.data.values()))
        self.pid = self._program.pid
        self.conversation = Conversation(ours, assignment.limit_bytes, self.kill)
        # Set once it is known how the process ended.
        self.ended = Event()
        self.ending = Ending(None)
        self._order = {
            **model._asdict(),
            "signature": assignment.signature.as_json(),
            "threads": assignment.threads,
            "limit_bytes": assignment.limit_bytes,
        }
        self._blame: Blame = ""
        # Reentrant, as the collector may let a session go in the middle of anything.
        self._ending = RLock()
        self._descriptor = _descriptor(self.pid)

    def load(self, until: float) -> bool:
        """False when it could not be loaded; then the process has ended or is about to."""
        return self.conversation.begin(self._order, until)

    def kill(self, blame: Blame) -> None:
        """With whatever it has started. The first blame counts; one that could not stop in time is not called hung."""
        if blame == "hung" and is_starved(self.pid):
            blame = "stopped"
        with self._ending:
            if self._program.returncode is None:
                self._blame = self._blame or blame
                self._kill_all()

    def wait(self, seconds: float) -> bool:
        """Whether it ended in that time."""
        if self._descriptor is not None:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        try:
            self._program.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def bury(self) -> Ending | None:
        """To be called once it has ended. The ending, or None if no run was under way or to blame."""
        with self._ending:
            if self._program.returncode is None:
                self._kill_all()
            code = self._program.wait()
        if self._descriptor is not None:
            os.close(self._descriptor)
        self.ending = judge(code, self._blame)
        self.ended.set()
        died_running = self.conversation.end()
        return self.ending if died_running and self.ending.cause is not None else None

    def resident_bytes(self) -> int | None:
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return None

    def _kill_all(self) -> None:
        for end in (os.killpg, os.kill):
            with suppress(OSError):
                end(self.pid, signal.SIGKILL)


def _start(descriptor: int, files: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM, _ROOT, str(descriptor), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**_ENVIRONMENT, **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}},
        cwd="/",
        pass_fds=(descriptor, *files),
        start_new_session=True,
    )


def _descriptor(pid: int) -> int | None:
    """Readable when the process has ended; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
