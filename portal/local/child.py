"""One child process: started in a session of its own, logging to its own file, dying with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.local.account import Account

_LOG_LIMIT = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Spec:
    """What to run. `stop_signal` asks it to end and it has `stop_seconds` for that; `hurry_signal` comes after."""

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    account: Account | None = None
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    hurry_signal: signal.Signals = signal.SIGKILL
    before_start: Callable[[], None] | None = None


def _dies_with(parent: int, with_signal: int) -> Callable[[], None] | None:
    """For the child between fork and exec, after the change of user, which would clear the setting.

    The kernel ties it to the *thread* that started the child: start children from the main thread only.
    """
    if _libc is None:
        return None

    def arrange() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT:
            os.replace(log, log.with_suffix(".log.1"))


class Child:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def status(self) -> str:
        """How it ended, for people: `status 1` or `SIGKILL`."""
        code = self.process.poll() if self.process else None
        return signal.Signals(-code).name if code is not None and code < 0 else f"status {code}"

    def start(self) -> None:
        spec = self.spec
        if spec.before_start:
            spec.before_start()
        rotate(spec.log)
        with open(spec.log, "ab") as log:
            os.chmod(spec.log, 0o600)
            self.process = subprocess.Popen(
                spec.argv,
                cwd=spec.folder,
                env={**os.environ, **spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=spec.pass_fds,
                preexec_fn=_dies_with(os.getpid(), spec.stop_signal),  # noqa: PLW1509 - there is one thread only
                user=spec.account.uid if spec.account else None,
                group=spec.account.gid if spec.account else None,
                extra_groups=[] if spec.account else None,
            )
        self.started_at = time.monotonic()

    def lived(self) -> float:
        return time.monotonic() - self.started_at

    def signal(self, number: int) -> None:
        if self.running and self.process:
            self.process.send_signal(number)

    def sweep_group(self) -> None:
        """Ends what the process left behind in its session: a killed master's workers, for example."""
        if self.process and self.process.poll() is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True
