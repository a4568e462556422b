"""Drives a server as hard as it goes: by `wrk` where it is installed, else by Python, which is a limit itself.

Figures are `rate` per second, `p50` and `p99` in milliseconds, and `failed`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from enter import ROOT
from load import send_one
from table import n_cores, percentile

Figures = dict[str, float]
NO_WRK = "wrk is not installed: the client was Python, and the figures are its own rather than the servers'."


class Request(NamedTuple):
    """The same body to each of the paths in turn."""

    port: int
    paths: Sequence[str]
    headers: dict[str, str]
    body: bytes


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def drive(request: Request, n_connections: int, seconds: float) -> Figures:
    return (with_wrk if has_wrk() else with_python)(request, n_connections, seconds)


def with_wrk(request: Request, n_connections: int, seconds: float) -> Figures:
    threads, duration = min(n_connections, n_cores()), f"{max(1, round(seconds))}s"
    command = ["wrk", "-t", str(threads), "-c", str(n_connections), "-d", duration, "--timeout", "10s"]
    command += ["-s", str(ROOT / "benchmarks" / "drive.lua"), f"http://127.0.0.1:{request.port}"]
    with tempfile.NamedTemporaryFile() as body:
        body.write(request.body)
        body.flush()
        environment = {
            **os.environ,
            "BENCHMARK_BODY_FILE": body.name,
            "BENCHMARK_HEADERS": "\n".join(f"{name}: {value}" for name, value in request.headers.items()),
            "BENCHMARK_PATHS": "\n".join(request.paths),
        }
        out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return {"rate": found.pop("n") / found.pop("seconds"), **found}


def with_python(request: Request, n_connections: int, seconds: float) -> Figures:
    records, end = [], time.monotonic() + seconds

    def loop(index: int) -> None:
        connection = HTTPConnection("127.0.0.1", request.port, timeout=30)
        path = request.paths[index % len(request.paths)]
        order = {"path": path, "body": request.body, "headers": request.headers}
        while time.monotonic() < end:
            records.append(send_one(connection, order))

    in_threads(loop, n_connections)
    times = [(stop - begin) / 1e6 for begin, stop, *_ in records]
    failed = sum(status != 200 for _, _, status, _, _ in records)
    return {"rate": len(records) / seconds, **spread(times), "failed": failed}


def in_process(session: ort.InferenceSession, feed: dict[str, np.ndarray], n_threads: int, seconds: float) -> Figures:
    """A loop around `session.run`. Of quick runs only some are timed, as timing each would cost as much as the run."""
    names = [output.name for output in session.get_outputs()]
    begin = time.perf_counter()
    session.run(names, feed)
    untimed = 63 if time.perf_counter() - begin < 0.001 else 0
    end = time.perf_counter() + seconds
    counts, times = [0] * n_threads, list[float]()

    def loop(index: int) -> None:
        while time.perf_counter() < end:
            for _ in range(untimed):
                session.run(names, feed)
            begin = time.perf_counter()
            session.run(names, feed)
            times.append(1e3 * (time.perf_counter() - begin))
            counts[index] += untimed + 1

    in_threads(loop, n_threads)
    return {"rate": sum(counts) / (time.perf_counter() - end + seconds), **spread(times), "failed": 0}


def in_threads(loop: Callable[[int], None], n_threads: int) -> None:
    threads = [threading.Thread(target=loop, args=(index,)) for index in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spread(times: list[float]) -> Figures:
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}
