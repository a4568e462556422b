"""How long a good model waits for its verdict: from the last byte sent until the version is ready.

    python3 benchmarks/validation.py [--megabytes 1] [--rounds 40]

Beside it, what ONNX Runtime alone needs to load the same file and to answer one row, in a process that is warm.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import time

import numpy as np
import onnxruntime as ort
from harness import Client, Portal
from onnx import TensorProto, helper, numpy_helper
from table import heading, percentile, show

NAME = "validation-benchmark"


def main() -> None:
    options = parse()
    heading(f"{options.rounds} good models of {options.megabytes:g} MB, one after the other")
    answered, waited, raw = [], [], []
    with Portal(demo=False) as portal:
        client = portal.client()
        client.call("POST", "/api/v1/models", {"name": NAME})
        for seed in range(options.rounds + 1):
            data = model(options.megabytes, seed)
            steps = validate(client, data)
            if seed:  # the first one wakes the sandbox up
                answered.append(steps[0])
                waited.append(steps[1])
                raw.append(load_and_run(data))
    rows = [
        [name, *(percentile(found, share) * 1_000 for share in (0.5, 0.95, 1))]
        for name, found in (
            ("upload answered", answered),
            ("ready (goal: p95 of 500)", waited),
            ("ONNX Runtime alone: load and one row", raw),
        )
    ]
    show(["from the last byte until, ms", "p50", "p95", "max"], rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=float, default=1.0, help="of weights, in millions of bytes")
    parser.add_argument("--rounds", type=int, default=40)
    return parser.parse_args()


def model(megabytes: float, seed: int) -> bytes:
    """A net of two layers, its weights different for each seed."""
    width = max(8, round(megabytes * 1e6 / 4 / 68))
    chance = np.random.default_rng(seed)
    parts = [
        numpy_helper.from_array(chance.standard_normal(shape, dtype=np.float32), name)
        for name, shape in (("A", (64, width)), ("B", (width, 4)))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "A"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "B"], ["y"]),
    ]
    edges = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in (("x", 64), ("y", 4))
    ]
    graph = helper.make_graph(nodes, "net", edges[:1], edges[1:], parts)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def validate(client: Client, data: bytes) -> tuple[float, float]:
    """Seconds from the last byte until the answer, and until the version is ready."""
    path, last = f"/api/v1/models/{NAME}/versions", [0.0]

    def parts() -> object:
        yield data
        last[0] = time.perf_counter()

    number = client.send_file(path, {}, parts(), len(data), "net.onnx").json()["number"]  # type: ignore[arg-type]
    answered = time.perf_counter() - last[0]
    while (status := client.call("GET", f"{path}/{number}").json()["status"]) == "validating":
        time.sleep(0.003)
    if status != "ready":
        raise SystemExit(f"A good model ended as {status}.")
    return answered, time.perf_counter() - last[0]


def load_and_run(data: bytes) -> float:
    began = time.perf_counter()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    ort.InferenceSession(data, options).run(None, {"x": np.zeros((1, 64), np.float32)})
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
