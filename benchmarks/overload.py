"""More than it can do: what is still answered, how quickly the rest is refused, and whether bad callers harm good ones.

    python3 benchmarks/overload.py crowd [--seconds 60] [--factor 5] [--model encoder]
    python3 benchmarks/overload.py hang  [--seconds 10] [--callers 16]
    python3 benchmarks/overload.py slow  [--seconds 10] [--callers 200]

`crowd` sends a multiple of what the portal can answer, at a fixed rate. `hang` asks for a model that never ends, `slow`
sends requests a byte at a time, each while a healthy model is driven, whose throughput is compared with that alone.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cells import IRIS, Cell
from drive import Figures, Request, drive
from enter import ROOT
from models import MODELS
from servers import Slipway, serve
from table import heading, percentile, show
from trouble import HANG_DEADLINE_SECONDS, Hung, endless, hung_callers, slow_callers

HEALTHY_CONNECTIONS = 8


def main() -> None:
    options = parse()
    MODES[options.mode](options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("mode", choices=list(MODES))
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one measurement")
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--factor", type=float, default=5.0, help="crowd: how much more than the peak")
    parser.add_argument("--connections", type=int, default=1024, help="crowd: how many at most")
    parser.add_argument("--model", choices=list(MODELS), default="encoder", help="crowd: what is asked for")
    parser.add_argument("--callers", type=int, help="hang, slow: how many (16 and 200)")
    return parser.parse_args()


def crowd(options: argparse.Namespace) -> None:
    heading(f"{options.factor:g} times the peak for {options.seconds:g} s, {options.model}")
    model = MODELS[options.model]
    with Slipway([model], options.processes) as server:
        cell = Cell(model.name, model, 32)
        cell.check(server)
        request = cell.request(server)
        peak = drive(request, 32, min(10.0, options.seconds))["rate"]
        found = send(request, options.factor * peak, options)
        after = drive(request, 32, min(10.0, options.seconds))["rate"]
    report_crowd(found, peak, after, options.seconds)


def send(request: Request, rate: float, options: argparse.Namespace) -> dict[str, Any]:
    order = {"port": request.port, "path": request.paths[0], "headers": request.headers, "body": request.body.decode()}
    line = json.dumps({**order, "rate": rate, "seconds": options.seconds, "connections": options.connections})
    command = [sys.executable, str(ROOT / "benchmarks" / "open_loop.py")]
    run = subprocess.run(command, input=line + "\n", stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout))


def report_crowd(found: dict[str, Any], peak: float, after: float, seconds: float) -> None:
    """Answers that came after the crowd had gone do not count as goodput."""
    records, rows = found["records"], []
    for status, count in sorted(Counter(status for _, _, status, _ in records).items()):
        some = [record for record in records if record[2] == status]
        spread = [percentile((took for _, took, _, _ in some), share) for share in (0.5, 0.99, 1)]
        rows.append([str(status or "none"), count, count / seconds, *spread, sum(retry for *_, retry in some)])
    show(["answer", "n", "per second", "p50 ms", "p99 ms", "max ms", "with Retry-After"], rows)
    good = sum(status == 200 and at <= seconds for at, _, status, _ in records) / seconds
    refused = [took for _, took, status, _ in records if status in (429, 503)]
    print(f"Peak before: {peak:.0f}/s, after: {after:.0f}/s; sent: {len(records) / seconds:.0f}/s", end="")
    print(f", not sent as all connections were busy: {found['held'] / seconds:.0f}/s")
    print(f"Goodput: {good:.0f}/s, {good / peak:.2f} of the peak (goal 0.85)")
    print(f"p99 until refused: {percentile(refused, 0.99):.1f} ms (goal 50)" if refused else "Nobody was refused")


def hang(options: argparse.Namespace) -> None:
    n = options.callers or 16
    heading(f"{n} callers of a model that never ends, beside a healthy one")
    answers: list[Hung] = []
    with healthy(options) as (server, alone):
        serve(server.portal.client(), "endless", endless())
        with hung_callers(n, server.port, "endless", server.headers) as answers:
            beside = Cell("iris", IRIS, HEALTHY_CONNECTIONS).measure(server, options.seconds)
    compare(alone, beside)
    for status, count in sorted(Counter(answer.status for answer in answers).items()):
        times = [answer.seconds for answer in answers if answer.status == status]
        print(f"{count} hung calls answered with {status} after {min(times):.2f} to {max(times):.2f} s", end="")
        print(f" (deadline {HANG_DEADLINE_SECONDS:g} s)")


def slow(options: argparse.Namespace) -> None:
    n = options.callers or 200
    heading(f"{n} callers that send a byte each half second, beside healthy ones")
    with healthy(options) as (server, alone):
        cell = Cell("iris", IRIS, HEALTHY_CONNECTIONS)
        with slow_callers(n, cell.request(server)) as shut_out:
            beside = cell.measure(server, options.seconds)
    compare(alone, beside)
    print(f"Slow callers that were shut out meanwhile: {sum(map(bool, shut_out))} of {n}")


@contextlib.contextmanager
def healthy(options: argparse.Namespace) -> Iterator[tuple[Slipway, Figures]]:
    with Slipway([IRIS], options.processes) as server:
        cell = Cell("iris", IRIS, HEALTHY_CONNECTIONS)
        cell.check(server)
        cell.measure(server, 1.0)
        yield server, cell.measure(server, options.seconds)


def compare(alone: Figures, beside: Figures) -> None:
    keys = ("rate", "p50", "p99", "failed")
    rows = [[name, *(found[key] for key in keys)] for name, found in (("alone", alone), ("meanwhile", beside))]
    show(["healthy model", "per second", "p50 ms", "p99 ms", "failed"], rows)
    print(f"Throughput meanwhile: {beside['rate'] / alone['rate']:.2f} of that alone (goal 0.9)")


MODES = {"crowd": crowd, "hang": hang, "slow": slow}

if __name__ == "__main__":
    main()
