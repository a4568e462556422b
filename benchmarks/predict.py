"""Predictions per second of the demo model over HTTP at 1, 8 and 32 connections, beside the same runs in process.

    python3 benchmarks/predict.py [--seconds 5] [--rounds 3] [--processes 2] [--connections 1 8 32]

The rounds are interleaved and the medians shown, so that a machine that speeds up or slows down meanwhile favours
nobody. Needs `wrk` (Debian, Ubuntu: apt-get install wrk); without it a Python client sends, which is itself the limit.
`serve.py` measures more models, and other servers beside this one.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import json

import numpy as np
import onnxruntime as ort
from drive import NO_WRK, Figures, Request, drive, has_wrk, in_process
from harness import Client, Portal
from table import heading, median, n_cores, show

ROW = [5.1, 3.5, 1.4, 0.2]
PATH = "/v2/models/iris/infer"
BODY = {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}
FEED = {"X": np.array([ROW], np.float32)}


def main() -> None:
    options = parse()
    heading("Predictions of the demo model: one row of four numbers, JSON, token and routing included")
    with Portal(processes=options.processes) as portal:
        session = session_of(portal.client())
        check_answer(portal.client(), session)
        kinds = [("in process", n) for n in sorted({1, n_cores()})] + [("HTTP", n) for n in options.connections]
        found: dict[tuple[str, int], list[Figures]] = {kind: [] for kind in kinds}
        for _round in range(options.rounds):
            for kind, n in kinds:
                local = kind == "in process"
                figures = in_process(session, FEED, n, options.seconds) if local else over_http(portal, n, options)
                found[kind, n].append(figures)
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
    for name, array in zip(names, session.run(None, FEED), strict=True):
        if not np.allclose(answer[name], array.ravel()):
            raise SystemExit(f"The portal answers {name} = {answer[name]}, the model {array.ravel().tolist()}.")


def over_http(portal: Portal, n_connections: int, options: argparse.Namespace) -> Figures:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {portal.token}"}
    request = Request(portal.port, [PATH], headers, json.dumps(BODY).encode())
    return drive(request, n_connections, options.seconds)


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
    if not has_wrk():
        print(NO_WRK)


if __name__ == "__main__":
    main()
