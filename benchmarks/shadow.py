"""What callers feel of a shadow that repeats every answer: a healthy one, one that never ends, one that crashes.

    python3 benchmarks/shadow.py [--seconds 5] [--rounds 5] [--rate 400]

The same steady load is sent without a shadow and beside each kind, in turns.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import json
import subprocess
import sys
import time
from typing import Any, NamedTuple

import numpy as np
from enter import ROOT
from harness import Client, Portal
from onnx import TensorProto, helper, numpy_helper
from servers import serve
from table import heading, median, percentile, show
from trouble import ENDLESS, endless

SLUG = "shadowed"
N_THREADS = 8
SMALLEST = -(2**63)
# The version's number for each kind of shadow.
KINDS = {"none": 0, "healthy": 2, "never ends": 3, "crashes": 4}
# The rollout has ended, so no controller takes the split back; what its answers are worth is still counted.
MIRROR = """
from inference.endpoints.moves import How, WantedShare, move
from inference.models import Endpoint, Rollout, SplitActivation
from registry.access.principal import SYSTEM
endpoint = Endpoint.objects.get(slug={slug!r})
stable = endpoint.model.versions.get(number=1)
shadow = endpoint.model.versions.filter(number={number}).first()
facts = dict(endpoint=endpoint, stable=stable, candidate=shadow or stable, preset="shadow_first", state="aborted")
rollout = Rollout.objects.create(base_split=endpoint.live_split, epoch=endpoint.epoch, **facts)
how = How(rollout=rollout, shadow_version=shadow, mirror_bp=10_000 if shadow else 0)
move(SYSTEM, endpoint.pk, [WantedShare("stable", stable, 10_000)], SplitActivation.Kind.ROLLOUT, "benchmark",
     expected_epoch=endpoint.epoch, how=how)
"""
PAIRS = """
from django.db.models import Sum
from inference.models import Endpoint, EvidenceWindow
windows = EvidenceWindow.objects.filter(split=Endpoint.objects.get(slug={slug!r}).live_split, variant="shadow")
dropped = sum(window.details.get("dropped", 0) for window in windows)
print(windows.aggregate(n=Sum("n"))["n"] or 0, dropped)
"""


class Round(NamedTuple):
    """`times` in milliseconds; requests that the shadow repeated are `compared`, the others `dropped`."""

    times: list[float]
    failed: int
    compared: int
    dropped: int


def main() -> None:
    options = parse()
    heading(f"A shadow beside {options.rate:g} requests per second, {options.processes} web processes")
    portal = Portal(processes=options.processes, demo=False)
    portal.environment["PORTAL_QUARANTINE_DEATHS"] = "1000000"
    found: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with portal:
        upload(portal.client())
        for _ in range(options.rounds):
            for kind, number in KINDS.items():
                portal.manage("shell", "-c", MIRROR.format(slug=SLUG, number=number))
                measure(portal, options.rate, 2.0)
                found[kind].append(measured(portal, options))
    report(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind")
    parser.add_argument("--rate", type=float, default=400.0, help="requests per second")
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    return parser.parse_args()


def converted(name: str, added: float = 0.0, *, deadly: bool = False) -> bytes:
    """y is x as FP32, plus `added`. A deadly one first divides the smallest number by x - ENDLESS - 1."""
    nodes = [helper.make_node("Cast", ["whole"], ["number"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Add", ["number", "added"], ["y"]))
    parts = [numpy_helper.from_array(np.array([added], np.float32), "added")]
    if deadly:
        nodes.insert(0, helper.make_node("Div", ["smallest", "distance"], ["whole"]))
        nodes.insert(0, helper.make_node("Sub", ["x", "limit"], ["distance"]))
        for part, value in (("smallest", SMALLEST), ("limit", ENDLESS + 1)):
            parts.append(numpy_helper.from_array(np.array([value], np.int64), part))
    else:
        nodes.insert(0, helper.make_node("Identity", ["x"], ["whole"]))
    ends = [helper.make_tensor_value_info(*end, [1]) for end in (("x", TensorProto.INT64), ("y", TensorProto.FLOAT))]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], parts)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString()


def upload(client: Client) -> None:
    serve(client, SLUG, converted("stable"))
    for content in (converted("healthy", 0.5), endless(), converted("crashes", deadly=True)):
        path = f"/api/v1/models/{SLUG}/versions"
        found = client.send_file(path, {}, iter([content]), len(content), "shadow.onnx").json()
        while found["status"] in ("receiving", "validating"):
            time.sleep(0.05)
            found = client.call("GET", f"{path}/{found['number']}").json()
        if found["status"] != "ready":
            raise SystemExit(f"A shadow was not taken: {found['report']['message']}")


def measured(portal: Portal, options: argparse.Namespace) -> Round:
    before = pairs(portal)
    records = measure(portal, options.rate, options.seconds)
    time.sleep(3)  # the counts are written every two seconds
    compared, dropped = (now - then for now, then in zip(pairs(portal), before, strict=True))
    times = [(end - begin) / 1e6 for begin, end, *_ in records]
    return Round(times, sum(status != 200 for _, _, status, _, _ in records), compared, dropped)


def measure(portal: Portal, rate: float, seconds: float) -> list[list[int]]:
    tensor = {"name": "x", "shape": [1], "datatype": "INT64", "data": [ENDLESS]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {portal.token}"}
    order: dict[str, Any] = {"port": portal.port, "path": f"/v2/models/{SLUG}/infer", "headers": headers}
    order |= {"body": json.dumps({"inputs": [tensor]}), "rate": rate, "threads": N_THREADS}
    command = [sys.executable, str(ROOT / "benchmarks" / "load.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None
        load.stdin.write(json.dumps(order) + "\n")
        load.stdin.flush()
        time.sleep(seconds)
        out, _ = load.communicate()
    return list(json.loads(out))


def pairs(portal: Portal) -> tuple[int, int]:
    compared, dropped = portal.manage("shell", "-c", PAIRS.format(slug=SLUG)).split()[-2:]
    return int(compared), int(dropped)


def report(found: dict[str, list[Round]]) -> None:
    """Medians of the rounds; the ratio is of a round to the one without a shadow just before it."""
    rows = []
    for kind, rounds in found.items():
        spread = [median(percentile(each.times, share) for each in rounds) for share in (0.5, 0.99)]
        beside = zip(rounds, found["none"], strict=True)
        ratio = median(percentile(each.times, 0.99) / percentile(alone.times, 0.99) for each, alone in beside)
        counts = [sum(each[index] for each in rounds) for index in (1, 2, 3)]
        rows.append([kind, sum(len(each.times) for each in rounds), *spread, ratio, *counts])
    show(["shadow", "n", "p50 ms", "p99 ms", "p99 of none's", "failed", "compared", "dropped"], rows)


if __name__ == "__main__":
    main()
