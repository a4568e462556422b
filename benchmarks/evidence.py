"""What a running rollout costs the endpoint that it runs on: predictions per second with it and without, in turns.

    python3 benchmarks/evidence.py [--seconds 5] [--rounds 5] [--connections 8]

Each round measures one endpoint three times: all traffic on one version, half and half on two by hand, and half and
half by a rollout, whose answers are counted as evidence, written down and looked at every two seconds. The two halves
do the same work, so what lies between the last two is the price of the evidence. Processor time is that of the web
processes for each prediction: on a machine that is busy otherwise it is steadier than the rate.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import time
from collections.abc import Callable

import numpy as np
from cells import IRIS, Cell
from drive import NO_WRK, Figures, has_wrk
from graph import Graph
from harness import Client
from servers import Slipway
from table import heading, median, show

ENDPOINT = "/api/v1/endpoints/iris"
VERSIONS = "/api/v1/models/iris/versions"
ONE, BY_HAND, ROLLOUT = "one version", "half and half by hand", "half and half by a rollout"
# It would take hours, so it stands at its one stage for as long as anyone measures.
PLAN = {
    "candidate": 2,
    "preset": "canary",
    "stages": [{"weight_bp": 5_000, "bake_seconds": 36_000, "n_min": 50_000_000}],
    "holdback": None,
    "replay": False,
    "cooldown_seconds": 0,
    "force": True,
    "reason": "benchmark",
}
SETTLED_SECONDS = 1.0
TOLD_SECONDS = 5.0


def main() -> None:
    options = parse()
    heading(f"A rollout on iris, {options.connections} connections, {options.processes} web processes")
    if not has_wrk():
        print(NO_WRK)
    found: dict[str, list[Figures]] = {ONE: [], BY_HAND: [], ROLLOUT: []}
    with Slipway([IRIS], options.processes) as server:
        client, cell = server.portal.client(), Cell("iris", IRIS, options.connections)
        add_version(client)
        ways: dict[str, Callable[[Client], int]] = {ONE: all_on_one, BY_HAND: split_by_hand, ROLLOUT: start_rollout}
        cell.measure(server, 1.0)
        for _round in range(options.rounds):
            for name, prepare in ways.items():
                rollout = prepare(client)
                time.sleep(SETTLED_SECONDS)
                found[name].append(measure(server, cell, options.seconds))
                if rollout:
                    found[name][-1]["evidence"] = end_rollout(client, rollout)
    report(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--connections", type=int, default=8)
    return parser.parse_args()


def measure(server: Slipway, cell: Cell, seconds: float) -> Figures:
    """With `cpu`, in microseconds a prediction."""
    before = processor_seconds(server)
    figures = cell.measure(server, seconds)
    return {**figures, "cpu": 1e6 * (processor_seconds(server) - before) / (figures["rate"] * seconds)}


def processor_seconds(server: Slipway) -> float:
    times = [process.cpu_times() for process in server.processes()]
    return sum(each.user + each.system for each in times)


def add_version(client: Client) -> None:
    """As heavy as the first: the same bytes would be the same session."""
    graph = Graph("iris", ["n", 4])
    shifted = graph.add("Add", graph.dense("x", 4, 3), graph.constant(np.zeros(3, np.float32)))
    content = graph.bytes(graph.add("Softmax", shifted, axis=1), ["n", 3])
    client.send_file(VERSIONS, {}, iter([content]), len(content), "iris.onnx")
    while client.call("GET", f"{VERSIONS}/2").json()["status"] in ("receiving", "validating"):
        time.sleep(0.05)


def all_on_one(client: Client) -> int:
    client.call("POST", f"{ENDPOINT}/promote", {"version": 1, "reason": "benchmark"})
    return 0


def split_by_hand(client: Client) -> int:
    shares = [{"variant": name, "version": n, "weight_bp": 5_000} for n, name in ((1, "stable"), (2, "canary"))]
    client.call("PUT", f"{ENDPOINT}/split", {"shares": shares, "reason": "benchmark"})
    return 0


def start_rollout(client: Client) -> int:
    all_on_one(client)
    rollout = client.call("POST", f"{ENDPOINT}/rollouts", PLAN).json()
    while (now := client.call("GET", f"/api/v1/rollouts/{rollout['id']}").json())["state"] != "canary":
        if now["state"] in ("aborted", "rolled_back", "failed_validation"):
            raise SystemExit(f"The rollout did not begin: {now}")
        time.sleep(0.05)
    return int(rollout["id"])


def end_rollout(client: Client, rollout: int) -> float:
    """How many answers it took as evidence. Raises SystemExit if it ended by itself: then nothing was measured."""
    time.sleep(TOLD_SECONDS)
    now = client.call("GET", f"/api/v1/rollouts/{rollout}").json()
    if now["state"] not in ("canary", "hold"):
        raise SystemExit(f"The rollout ended while it was measured: {now}")
    client.call("POST", f"/api/v1/rollouts/{rollout}/abort", {"reason": "benchmark"})
    return float(sum(arm["n"] for arm in now["evidence"]["arms"].values()))


def report(found: dict[str, list[Figures]]) -> None:
    """Medians; a ratio is of a round to the same round's half and half by hand."""
    rows: list[list[object]] = []
    for name, rounds in found.items():
        middle = [median(each[key] for each in rounds) for key in ("rate", "p50", "p99", "cpu")]
        beside = list(zip(rounds, found[BY_HAND], strict=True))
        ratios = [median(each[key] / hand[key] for each, hand in beside) for key in ("rate", "cpu")]
        counts = [int(sum(each.get(key, 0.0) for each in rounds)) for key in ("failed", "evidence")]
        rows.append([name, *middle, *ratios, *counts])
    show(["", "per second", "p50 ms", "p99 ms", "cpu µs", "rate, of by hand", "cpu", "failed", "evidence"], rows)


if __name__ == "__main__":
    main()
