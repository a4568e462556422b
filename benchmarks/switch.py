"""How long a promotion and a roll-back take until every web process has followed, under load, and whether any is late.

    python3 benchmarks/switch.py [--alternations 100] [--processes 4] [--rate 200] [--pause 0.05]

Version 2 is promoted and rolled back again and again while requests come at a steady rate. A request is late if it
began after the answer of a switch and was still answered by an epoch from before it.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import bisect
import json
import subprocess
import sys
import time
from typing import Any, NamedTuple

from enter import ROOT
from harness import Client, Portal
from predict import BODY, PATH
from table import heading, percentile, show

ENDPOINT = "/api/v1/endpoints/iris"
N_THREADS = 8


class Switch(NamedTuple):
    kind: str
    answered_at: int
    seconds: float
    converged: float
    epoch: int
    complete: bool


def main() -> None:
    options = parse()
    setting = f"{options.processes} web processes, {options.rate:g} requests per second"
    heading(f"{options.alternations} promotions and as many roll-backs under load: {setting}")
    with Portal(processes=options.processes) as portal:
        load = start_load(portal, options.rate)
        try:
            time.sleep(1)
            switches = alternate(portal.client(), options.alternations, options.pause)
            time.sleep(0.5)
        finally:
            out, _ = load.communicate()
    report(switches, json.loads(out))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--alternations", type=int, default=100, help="pairs of one promotion and one roll-back")
    parser.add_argument("--processes", type=int, default=4, help="web processes")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two switches")
    return parser.parse_args()


def start_load(portal: Portal, rate: float) -> subprocess.Popen[str]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {portal.token}"}
    order = {"port": portal.port, "path": PATH, "body": json.dumps(BODY), "headers": headers}
    order |= {"rate": rate, "threads": N_THREADS}
    command = [sys.executable, str(ROOT / "benchmarks" / "load.py")]
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if load.stdin:
        load.stdin.write(json.dumps(order) + "\n")
        load.stdin.flush()
    return load


def alternate(client: Client, n: int, pause: float) -> list[Switch]:
    switches = []
    for _ in range(n):
        switches.append(switch(client, "promote", {"version": 2, "reason": "benchmark"}))
        time.sleep(pause)
        switches.append(switch(client, "rollback", {"reason": "benchmark"}))
        time.sleep(pause)
    return switches


def switch(client: Client, kind: str, document: dict[str, Any]) -> Switch:
    begin = time.monotonic_ns()
    found = client.call("POST", f"{ENDPOINT}/{kind}", document).json()
    answered_at = time.monotonic_ns()
    converged = found["converged"]
    complete = converged["processes"] == converged["acknowledged"] > 0
    return Switch(kind, answered_at, (answered_at - begin) / 1e9, converged["seconds"], found["epoch"], complete)


def report(switches: list[Switch], records: list[list[int]]) -> None:
    rows = []
    for kind, name in (("promote", "promote"), ("rollback", "roll back")):
        some = [switch for switch in switches if switch.kind == kind]
        for what, values in (("answer", [s.seconds for s in some]), ("converged.seconds", [s.converged for s in some])):
            spread = [1e3 * percentile(values, share) for share in (0.5, 0.99, 1)]
            rows.append([f"{name}: {what}", len(some), *spread])
    times = [(end - begin) / 1e6 for begin, end, *_ in records]
    rows.append(["predictions meanwhile", len(records), *(percentile(times, share) for share in (0.5, 0.99, 1))])
    show(["", "n", "p50 ms", "p99 ms", "max ms"], rows)
    seconds = (max(r[1] for r in records) - min(r[0] for r in records)) / 1e9
    print(f"Requests sent: {len(records)} in {seconds:.1f} s ({len(records) / seconds:.0f} per second)")
    print(f"Failed: {sum(status != 200 for _, _, status, _, _ in records)}")
    print(f"Began after the answer, answered by the old split: {n_late(switches, records)}")
    print(f"Switches answered before every process had followed: {sum(not switch.complete for switch in switches)}")


def n_late(switches: list[Switch], records: list[list[int]]) -> int:
    answers = [switch.answered_at for switch in switches]
    late = 0
    for begin, _end, status, epoch, _version in records:
        before = bisect.bisect_left(answers, begin)
        late += status == 200 and before > 0 and epoch < switches[before - 1].epoch
    return late


if __name__ == "__main__":
    main()
