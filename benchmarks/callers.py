"""Callers at a steady rate in a process of their own (`load.py`), each request with other numbers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

from candidates import N_FIRST
from enter import ROOT
from harness import Client, Portal

N_THREADS = 8
ENDED = ("promoted", "rolled_back", "aborted", "failed_validation")


class Callers:
    """Within `with` they call; after it `records` holds [begin, end, status, epoch, version] of each request."""

    def __init__(self, portal: Portal, slug: str, rate: float, n_threads: int = N_THREADS) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {portal.token}"}
        self.order: dict[str, Any] = {"port": portal.port, "path": f"/v2/models/{slug}/infer", "headers": headers}
        self.order |= {"bodies": [body(first) for first in range(N_FIRST)], "rate": rate, "threads": n_threads}
        self.records: list[list[int]] = []

    def __enter__(self) -> Self:
        command = [sys.executable, str(ROOT / "benchmarks" / "load.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self.order) + "\n")
        self.process.stdin.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        out, _ = self.process.communicate()
        self.records = json.loads(out)


def body(first: float) -> str:
    data = [first, 1.0, 2.0, 3.0]
    return json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": data}]})


def upload(client: Client, model: str, content: bytes) -> int:
    """The number of the version, once it is ready."""
    path = f"/api/v1/models/{model}/versions"
    found = client.send_file(path, {}, iter([content]), len(content), "candidate.onnx").json()
    while found["status"] in ("receiving", "validating"):
        time.sleep(0.05)
        found = client.call("GET", f"{path}/{found['number']}").json()
    if found["status"] != "ready":
        raise SystemExit(f"A candidate was not taken: {found['report']['message']}")
    return int(found["number"])


def follow(client: Client, rollout: int, seconds: float) -> dict[str, Any]:
    """Its last state, at the latest after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = client.call("GET", f"/api/v1/rollouts/{rollout}").json()
        if found["state"] in ENDED or time.monotonic() > end:
            return found
        time.sleep(0.1)
