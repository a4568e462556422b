"""Predictions per second of the demo model over HTTP at 1, 8 and 32 connections, beside the same runs in process.

    python3 benchmarks/predict.py [--seconds 5] [--rounds 3] [--processes 2] [--connections 1 8 32]

The rounds are interleaved and the medians shown, so that a machine that speeds up or slows down meanwhile favours
nobody. Needs `wrk` (Debian, Ubuntu: apt-get install wrk); without it a Python client sends, which is itself the limit.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
from enter import ROOT
from harness import Client, Portal
from load import send_one
from table import heading, median, n_cores, percentile, show

ROW = [5.1, 3.5, 1.4, 0.2]
PATH = "/v2/models/iris/infer"
BODY = {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}
Figures = dict[str, float]


def main() -> None:
    options = parse()
    heading("Predictions of the demo model: one row of four numbers, JSON, token and routing included")
    with Portal(processes=options.processes) as portal:
        session = session_of(portal.client())
        check_answer(portal.client(), session)
        kinds = [("in process", 1), *([("in process", n_cores())] if n_cores() > 1 else [])]
        kinds += [("HTTP", n) for n in options.connections]
        found: dict[tuple[str, int], list[Figures]] = {kind: [] for kind in kinds}
        for _round in range(options.rounds):
            for kind, n in kinds:
                subject = session if kind == "in process" else portal
                found[kind, n].append(MEASURES[kind](subject, n, options.seconds))
    report(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    return parser.parse_args()


def session_of(client: Client) -> ort.InferenceSession:
    """The very bytes that the portal serves, with the settings that suit many runs at once."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = client.call("GET", "/api/v1/models/iris-species/versions/1/download").body
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check_answer(client: Client, session: ort.InferenceSession) -> None:
    answer = {output["name"]: output["data"] for output in client.call("POST", PATH, BODY).json()["outputs"]}
    names = [output.name for output in session.get_outputs()]
    for name, array in zip(names, session.run(None, {"X": np.array([ROW], np.float32)}), strict=True):
        if not np.allclose(answer[name], array.ravel()):
            raise SystemExit(f"The portal answers {name} = {answer[name]}, the model {array.ravel().tolist()}.")


def in_process(session: ort.InferenceSession, n_threads: int, seconds: float) -> Figures:
    """A loop around `session.run`; every 64th call is timed, as timing each would cost as much as the run."""
    rows, end = np.array([ROW], np.float32), time.perf_counter() + seconds
    counts, times = [0] * n_threads, list[float]()

    def loop(index: int) -> None:
        feed, names = {"X": rows}, [output.name for output in session.get_outputs()]
        while time.perf_counter() < end:
            for _ in range(63):
                session.run(names, feed)
            begin = time.perf_counter()
            session.run(names, feed)
            times.append(time.perf_counter() - begin)
            counts[index] += 64

    in_threads(loop, n_threads)
    return {"rate": sum(counts) / seconds, **spread([1e3 * value for value in times]), "failed": 0}


def over_http(portal: Portal, n_connections: int, seconds: float) -> Figures:
    measure = with_wrk if shutil.which("wrk") else with_python
    return measure(portal, n_connections, seconds)


def with_wrk(portal: Portal, n_connections: int, seconds: float) -> Figures:
    threads, duration = min(n_connections, n_cores()), f"{max(1, round(seconds))}s"
    command = ["wrk", "-t", str(threads), "-c", str(n_connections), "-d", duration, "--timeout", "10s"]
    command += ["-s", str(ROOT / "benchmarks" / "predict.lua"), f"http://127.0.0.1:{portal.port}{PATH}"]
    environment = {**os.environ, "BENCHMARK_BODY": json.dumps(BODY), "BENCHMARK_TOKEN": portal.token}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return {"rate": found.pop("n") / found.pop("seconds"), **found}


def with_python(portal: Portal, n_connections: int, seconds: float) -> Figures:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {portal.token}"}
    order = {"path": PATH, "body": json.dumps(BODY), "headers": headers}
    records, end = [], time.monotonic() + seconds

    def loop(_index: int) -> None:
        connection = portal.client().connection
        while time.monotonic() < end:
            records.append(send_one(connection, order))

    in_threads(loop, n_connections)
    times = [(stop - begin) / 1e6 for begin, stop, *_ in records]
    failed = sum(status != 200 for _, _, status, _, _ in records)
    return {"rate": len(records) / seconds, **spread(times), "failed": failed}


def in_threads(loop: Any, n_threads: int) -> None:
    threads = [threading.Thread(target=loop, args=(index,)) for index in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spread(times: list[float]) -> Figures:
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def report(found: dict[tuple[str, int], list[Figures]]) -> None:
    raw = median(run["rate"] for run in found["in process", 1])
    rows = []
    for (kind, n), runs in found.items():
        name = f"session.run in {n} threads" if kind == "in process" and n > 1 else "session.run in a loop"
        name = name if kind == "in process" else f"HTTP, {n} connections" if n > 1 else "HTTP, 1 connection"
        rate = median(run["rate"] for run in runs)
        middle = [median(run[key] for run in runs) for key in ("p50", "p99")]
        rows.append([name, rate, *middle, rate / raw, int(sum(run["failed"] for run in runs))])
    show(["", "per second", "p50 ms", "p99 ms", "of the loop", "failed"], rows)
    if not shutil.which("wrk"):
        print("wrk is not installed: the client was Python, and these are its figures rather than the portal's.")


MEASURES: dict[str, Callable[[Any, int, float], Figures]] = {"in process": in_process, "HTTP": over_http}

if __name__ == "__main__":
    main()
