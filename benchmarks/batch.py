"""Rows per second of a batch job, from accepted to done, beside `session.run` over the same rows already in memory.

    python3 benchmarks/batch.py [--rows 1000000] [--rounds 3] [--models demo dense] [--formats csv jsonl]

`demo` is the demo model: it takes so little time a row that reading and writing text is nearly all of the job. `dense`
has two hidden layers of 256, which is still a small network. In memory means: no file is read or written, blocks of
1 024 rows, in one thread and in as many threads as there are cores. Each job's first and last answers are compared.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from harness import Client, Portal
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from table import heading, median, n_cores, show

BLOCK_ROWS = 1024
LIMIT_SECONDS = 1800.0
Rows = NDArray[np.float32]


class Subject(NamedTuple):
    """One version in the portal, and the same bytes in a session here. `output` is the column that is compared."""

    name: str
    model: str
    session: ort.InferenceSession
    output: str


def main() -> None:
    options = parse()
    heading(f"Batch jobs over {options.rows} rows of four numbers")
    table = np.random.default_rng(7).uniform(0.1, 7.9, (options.rows, 4)).astype(np.float32).round(2)
    files = {name: WRITERS[name](table) for name in options.formats}
    rows = []
    with Portal() as portal:
        for subject in (MODELS[name](portal.client()) for name in options.models):
            rows += measure(portal.client(), subject, table, files, options.rounds)
    show(["", "rows per second", "of one thread", f"of {n_cores()} threads", "upload s"], rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--formats", nargs="+", choices=list(WRITERS), default=list(WRITERS))
    return parser.parse_args()


def measure(client: Client, subject: Subject, table: Rows, files: dict[str, bytes], rounds: int) -> list[list[Any]]:
    """Interleaved rounds, medians."""
    raw: dict[int, list[float]] = {n: [] for n in sorted({1, n_cores()})}
    jobs: dict[str, list[tuple[float, float]]] = {name: [] for name in files}
    for _round in range(rounds):
        for n_threads, rates in raw.items():
            rates.append(len(table) / in_memory(subject.session, table, n_threads))
        for name, found in jobs.items():
            upload, job = run_job(client, subject, table, name, files[name])
            found.append((len(table) / job, upload))
    one, all_ = median(raw[1]), median(raw[n_cores()])
    rows = [
        [
            f"{subject.name}: session.run in {n} thread{'s' * (n > 1)}",
            median(r),
            median(r) / one,
            median(r) / all_,
            None,
        ]
        for n, r in raw.items()
    ]
    for name, found in jobs.items():
        rate = median(rate for rate, _ in found)
        rows.append([f"{subject.name}: job over {name}", rate, rate / one, rate / all_, median(s for _, s in found)])
    return rows


def in_memory(session: ort.InferenceSession, table: Rows, n_threads: int) -> float:
    """Seconds for all rows; each thread takes the next block."""
    names = [output.name for output in session.get_outputs()]
    begins = range(0, len(table), BLOCK_ROWS)
    began = time.monotonic()
    with ThreadPoolExecutor(n_threads) as pool:
        shares = [begins[index::n_threads] for index in range(n_threads)]
        list(
            pool.map(
                lambda share: [session.run(names, {"X": table[b : b + BLOCK_ROWS]}) and None for b in share], shares
            )
        )
    return time.monotonic() - began


def run_job(client: Client, subject: Subject, table: Rows, name: str, content: bytes) -> tuple[float, float]:
    """Seconds of the upload, and from accepted to done by the portal's own clock."""
    began = time.monotonic()
    fields = {"model": subject.model, "version": "1", "format": name}
    job = client.send_file("/api/v1/jobs", fields, iter([content]), len(content), f"rows.{name}").json()
    upload = time.monotonic() - began
    while job["status"] in ("queued", "running"):
        if time.monotonic() - began > LIMIT_SECONDS:
            raise SystemExit(f"The job was not done after {LIMIT_SECONDS:.0f} s: {job}")
        time.sleep(0.2)
        job = client.call("GET", f"/api/v1/jobs/{job['id']}").json()
    check(client, subject, table, name, job)
    seconds = datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["created_at"])
    return upload, seconds.total_seconds()


def check(client: Client, subject: Subject, table: Rows, name: str, job: dict[str, Any]) -> None:
    if job["status"] != "succeeded" or job["n_done"] != len(table):
        raise SystemExit(f"The job went wrong: {job}")
    lines = client.call("GET", f"/api/v1/jobs/{job['id']}/output").body.decode().splitlines()
    header = lines.pop(0).split(",") if name == "csv" else []
    if len(lines) != len(table):
        raise SystemExit(f"{len(lines)} rows came out, {len(table)} went in.")
    ends = (0, 1, -2, -1)
    want = subject.session.run([subject.output], {"X": table[list(ends)]})[0].reshape(len(ends), -1)
    for index, wanted in zip(ends, want, strict=True):
        if not np.allclose(values_of(lines[index], header, subject.output), wanted, rtol=1e-4, atol=1e-6):
            raise SystemExit(f"Row {index} is {lines[index]}, and should hold {wanted.tolist()}.")


def values_of(line: str, header: list[str], output: str) -> list[float]:
    if not header:
        return list(json.loads(line)[output])
    return [
        float(cell) for column, cell in zip(header, line.split(","), strict=True) if column.startswith(f"{output}_")
    ]


def to_csv(table: Rows) -> bytes:
    return b"X_0,X_1,X_2,X_3\n" + b"".join(b"%.2f,%.2f,%.2f,%.2f\n" % tuple(row) for row in table.tolist())


def to_jsonl(table: Rows) -> bytes:
    return b"".join(b'{"X": [%.2f, %.2f, %.2f, %.2f]}\n' % tuple(row) for row in table.tolist())


def demo(client: Client) -> Subject:
    content = client.call("GET", "/api/v1/models/iris-species/versions/1/download").body
    return Subject("demo", "iris-species", session_of(content), "probabilities")


def dense(client: Client) -> Subject:
    content = dense_model((4, 256, 256, 3))
    client.call("POST", "/api/v1/models", {"name": "dense"})
    client.send_file("/api/v1/models/dense/versions", {}, iter([content]), len(content), "dense.onnx")
    while client.call("GET", "/api/v1/models/dense/versions/1").json()["status"] == "validating":
        time.sleep(0.1)
    return Subject("dense", "dense", session_of(content), "y")


def dense_model(widths: tuple[int, ...]) -> bytes:
    """Fully connected layers with a tanh between them; input `X` [n, 4], output `y` [n, 3]."""
    random, nodes, constants, value = np.random.default_rng(7), [], [], "X"
    for index, (n_in, n_out) in enumerate(pairwise(widths)):
        weights = random.normal(0, n_in**-0.5, (n_in, n_out)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"weights_{index}"))
        last = index == len(widths) - 2
        nodes.append(helper.make_node("MatMul", [value, f"weights_{index}"], ["y" if last else f"sum_{index}"]))
        if not last:
            nodes.append(helper.make_node("Tanh", [f"sum_{index}"], [f"hidden_{index}"]))
            value = f"hidden_{index}"
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", widths[0]])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", widths[-1]])]
    graph = helper.make_graph(nodes, "dense", inputs, outputs, constants)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString()


def session_of(content: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


MODELS: dict[str, Callable[[Client], Subject]] = {"demo": demo, "dense": dense}
WRITERS: dict[str, Callable[[Rows], bytes]] = {"csv": to_csv, "jsonl": to_jsonl}

if __name__ == "__main__":
    main()
