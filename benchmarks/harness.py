"""A portal of its own for each benchmark: on a free port, with an empty data folder, stopped and removed afterwards."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil
from enter import ROOT

SCOPES = ("read", "predict", "upload", "jobs", "deploy")
READY_SECONDS = 900.0
STOP_SECONDS = 60.0
# Whatever this terminal has set for a portal of its own must not reach the measured one.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "PORTAL_", "WEB_CONCURRENCY", "VIRTUAL_ENV")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One kept connection. `call` raises RuntimeError for a status of 400 and above."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, document: Any = None) -> Answer:
        body = None if document is None else json.dumps(document).encode()
        self.connection.request(method, path, body, {**self.headers, "Content-Type": "application/json"})
        return self.answer(f"{method} {path}")

    def answer(self, what: str) -> Answer:
        response = self.connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        found = Answer(response.status, headers, response.read())
        if found.status >= 400:
            raise RuntimeError(f"{what}: {found.status} {found.body[:500]!r}")
        return found

    def send_file(self, path: str, fields: dict[str, str], parts: Iterator[bytes], size: int, name: str) -> Answer:
        """A multipart form whose field `file` has `size` bytes, given piece by piece."""
        mark = "slipway-benchmark"
        lines = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{fields[key]}\r\n' for key in fields]
        lines.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n')
        head, tail = "".join(lines).encode(), f"\r\n--{mark}--\r\n".encode()
        self.connection.putrequest("POST", path)
        for key, value in self.headers.items():
            self.connection.putheader(key, value)
        self.connection.putheader("Content-Type", f"multipart/form-data; boundary={mark}")
        self.connection.putheader("Content-Length", str(len(head) + size + len(tail)))
        self.connection.endheaders(head)
        for part in parts:
            self.connection.send(part)
        self.connection.send(tail)
        return self.answer(f"POST {path}")


class Portal:
    """`with Portal(processes=2) as portal:` yields it ready, with `port`, `token` and `client()`."""

    def __init__(
        self, *, processes: int = 2, demo: bool = True, root: Path = ROOT, home: Path | None = None, python: str = ""
    ) -> None:
        self.root = root
        self.python = python or sys.executable
        self.arguments = [] if demo else ["--no-demo"]
        self.folder = Path(tempfile.mkdtemp(prefix="slipway-benchmark-"))
        self.folder.chmod(0o711)  # as root, PostgreSQL runs as another user and has to get through
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        self.environment |= {"PORTAL_DATA_DIR": str(self.folder / "data"), "WEB_CONCURRENCY": str(processes)}
        if home is not None:
            self.environment["HOME"] = str(home)
        self.process: subprocess.Popen[bytes] | None = None
        self.sockets: Path | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
            self.token = self.manage("create_token", "--user", "admin", "--name", "benchmark", *_scopes()).split()[-1]
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def start(self) -> float:
        """Seconds until `up` says READY."""
        self.port = free_port()
        began = time.monotonic()
        with open(self.folder / "up.log", "wb") as log:
            self.process = subprocess.Popen(
                [self.python, "manage.py", "up", "--port", str(self.port), *self.arguments],
                cwd=self.root,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while b"\nREADY" not in (self.folder / "up.log").read_bytes():
            if self.process.poll() is not None or time.monotonic() - began > READY_SECONDS:
                raise RuntimeError(f"The portal did not start:\n{(self.folder / 'up.log').read_text()[-3000:]}")
            time.sleep(0.01)
        seconds = time.monotonic() - began
        self.sockets = self._socket_folder()
        return seconds

    def stop(self) -> float:
        """Seconds until `up` had ended after Ctrl-C."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - began

    def remove(self) -> None:
        self.stop()
        for folder in (self.folder, self.sockets):
            if folder:
                shutil.rmtree(folder, ignore_errors=True)

    def _socket_folder(self) -> Path | None:
        """Beside the data folder the embedded stores have a short one in /tmp, where their sockets lie."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            url = json.loads((self.folder / "data" / "run" / "stores.json").read_text())["REDIS_URL"]
            return Path(url.removeprefix("unix://").partition("?")[0]).parent
        return None

    def manage(self, *arguments: str) -> str:
        command = [self.python, "manage.py", *arguments]
        run = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {run.stderr[-1000:]}")
        return run.stdout

    def client(self) -> Client:
        return Client(self.port, self.token)

    def web_processes(self) -> list[psutil.Process]:
        """gunicorn's workers and their master."""
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process else []
        return [child for child in children if "gunicorn" in " ".join(child.cmdline())]


def _scopes() -> list[str]:
    return [word for scope in SCOPES for word in ("--scope", scope)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
