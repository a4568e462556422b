"""A real `python3 manage.py up` with a data folder of its own, and callers that speak to it over HTTP alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2
import urllib3

ROOT = Path(__file__).resolve().parents[2]
ADMIN_PASSWORD = "flows-Passw0rd-17"
ALL_SCOPES = ("read", "predict", "upload", "jobs", "deploy", "admin")
READY_SECONDS = 120
STOP_SECONDS = 40
# What a surrounding `manage.py test` has set for itself.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "VIRTUAL_ENV", "PORTAL_", "PYTEST_", "PROMETHEUS_", "WEB_CONCURRENCY", "COV_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Portal:
    def __init__(self, data: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments or ("--no-demo",)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self.environment = {
            **kept,
            "PORTAL_DATA_DIR": str(data),
            "PORTAL_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "WEB_CONCURRENCY": "2",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []

    def start(self) -> Portal:
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), *self.arguments]
        self.data.mkdir(parents=True, exist_ok=True)
        with open(self.data / "up.out", "wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        self.wait_until(self._is_ready, READY_SECONDS, "READY")
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"`up` ended with {self.process.returncode}:\n{self.output()}")
        return "READY in" in self.output()

    def output(self) -> str:
        return (self.data / "up.out").read_text(errors="replace")

    def wait_until(self, condition: Any, seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"no {what} within {seconds} s:\n{self.output()[-3000:]}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Ctrl-C; the exit status of `up`."""
        assert self.process is not None
        for client in self._clients:
            client.close()
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"Ctrl-C did not end `up`:\n{self.output()[-3000:]}") from None

    def kill(self) -> None:
        """`kill -9` of everything at once."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)
        self.process.wait(10)

    def children(self, *words: str) -> list[psutil.Process]:
        """The processes below `up` whose command line holds all the words, eldest first."""
        assert self.process is not None
        found = []
        for member in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if all(word in " ".join(member.cmdline()) for word in words):
                    found.append(member)
        return sorted(found, key=lambda member: member.create_time())

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"manage.py {arguments[0]}: {done.stderr[-2000:]}"
        return done

    def create_token(self, user: str, *scopes: str, options: tuple[str, ...] = ()) -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        printed = self.manage("create_token", "--user", user, "--name", "flows", *words, *options).stdout
        assert printed.count("\n") == 1
        return printed.strip()

    def client(self, token: str | None) -> Client:
        self._clients.append(Client(self.url, token))
        return self._clients[-1]

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Looks into PostgreSQL, for what must not have changed."""
        stores = json.loads((self.data / "run" / "stores.json").read_text())
        with contextlib.closing(psycopg2.connect(stores["DATABASE_URL"])) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
            return rows


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any

    @property
    def error(self) -> dict[str, Any]:
        """A management error's fields, after a look at its shape."""
        error = self.body["error"]
        assert set(self.body) == {"error"}
        assert set(error) == {"code", "message", "details", "request_id"}
        assert error["message"]
        assert error["request_id"] == self.headers["X-Request-Id"]
        return dict(error)

    @property
    def v2_error(self) -> dict[str, str]:
        assert set(self.body) == {"error", "code", "request_id"}
        assert isinstance(self.body["error"], str)
        assert self.body["error"]
        assert self.body["request_id"] == self.headers["X-Request-Id"]
        return dict(self.body)


class Client:
    """Keeps its connections; safe to share between threads."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        self._pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=60)

    def close(self) -> None:
        self._pool.clear()

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return _answer(self._pool.request(method, self.url + path, body=body, headers=sent))

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("PUT", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def send_file(self, path: str, data: bytes, name: str = "model.onnx", **fields: str) -> Answer:
        headers = {
            "Authorization": f"Bearer {self.token}",
            **({"Idempotency-Key": k} if (k := fields.pop("idempotency_key", "")) else {}),
        }
        form = {**fields, "file": (name, data, "application/octet-stream")}
        return _answer(self._pool.request("POST", self.url + path, fields=form, headers=headers))

    def upload(self, model: str, data: bytes, name: str = "model.onnx", **fields: str) -> Answer:
        return self.send_file(f"/api/v1/models/{model}/versions", data, name, **fields)

    def version(self, model: str, number: int) -> dict[str, Any]:
        """The version once its validation has ended."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = self.get(f"/api/v1/models/{model}/versions/{number}")
            assert answer.status == 200, answer
            if answer.body["status"] not in ("receiving", "validating"):
                return dict(answer.body)
            time.sleep(0.05)
        raise AssertionError(f"version {number} of {model} was never decided")

    def register(self, model: str, *files: bytes) -> list[dict[str, Any]]:
        """A new model with a ready version per file."""
        created = self.post("/api/v1/models", {"name": model})
        assert created.status == 201, created
        numbers = []
        for data in files:
            answer = self.upload(model, data)
            assert answer.status == 202, answer
            numbers.append(answer.body["number"])
        versions = [self.version(model, number) for number in numbers]
        assert [version["status"] for version in versions] == ["ready"] * len(files), versions
        return versions

    def serve(self, slug: str, *files: bytes, promoted: int = 1) -> str:
        """A model and an endpoint of the same name, with one version promoted."""
        self.register(slug, *files)
        created = self.post("/api/v1/endpoints", {"slug": slug, "model": slug})
        assert created.status == 201, created
        self.promote(slug, promoted)
        return slug

    def promote(self, slug: str, version: int) -> Answer:
        answer = self.post(f"/api/v1/endpoints/{slug}/promote", {"version": version, "reason": "a test"})
        assert answer.status == 200, answer
        return answer

    def split(self, slug: str, **weights: tuple[int, int]) -> Answer:
        """`stable=(1, 9000), canary=(2, 1000)`."""
        shares = [{"variant": key, "version": version, "weight_bp": bp} for key, (version, bp) in weights.items()]
        return self.put(f"/api/v1/endpoints/{slug}/split", {"shares": shares, "reason": "a test"})

    def infer(self, slug: str, rows: list[list[float]], key: str = "", version: int | None = None) -> Answer:
        pinned = f"/versions/{version}" if version else ""
        data = [value for row in rows for value in row]
        body = {"inputs": [{"name": "x", "shape": [len(rows), 4], "datatype": "FP32", "data": data}]}
        headers = {"X-Routing-Key": key} if key else None
        return self.call("POST", f"/v2/models/{slug}{pinned}/infer", body, headers)


def _answer(response: urllib3.BaseHTTPResponse) -> Answer:
    body: Any = response.data
    if response.headers.get("Content-Type", "").startswith("application/json"):
        body = json.loads(body)
    return Answer(response.status, body, response.headers)


@contextlib.contextmanager
def running(data: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Portal]:
    """Started, and stopped with Ctrl-C, after which it must have ended with 0."""
    portal = Portal(data, *arguments, environment=environment)
    try:
        yield portal.start()
    except BaseException:
        if portal.process and portal.process.poll() is None:
            portal.kill()
        raise
    if portal.process and portal.process.poll() is None:
        assert portal.stop() == 0


class Load:
    """Threads that predict without pause over kept connections, and note when each request began and what it got."""

    def __init__(self, client: Client, slug: str, n_threads: int = 4) -> None:
        self.seen: list[tuple[float, int, str]] = []
        self._client, self._slug = client, slug
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(n_threads)]

    def _run(self) -> None:
        client = Client(self._client.url, self._client.token)
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                answer = client.infer(self._slug, [[1, 2, 3, 4]])
                number = answer.headers.get("X-Model-Version", "")
                self.seen.append((began, answer.status, number or answer.v2_error["code"]))
            except urllib3.exceptions.HTTPError as error:
                self.seen.append((began, 0, type(error).__name__))
        client.close()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def began_after(self, moment: float) -> list[tuple[float, int, str]]:
        return [item for item in self.seen if item[0] > moment]

    def failed(self) -> list[tuple[float, int, str]]:
        return [item for item in self.seen if item[1] != 200]
