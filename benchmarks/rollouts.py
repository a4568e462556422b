"""How soon a rollout finds out, how many callers a bad version meets until then, and how long it goes on meeting them.

    python3 benchmarks/rollouts.py [--rate 200] [--rounds 5] [--processes 2] [--only errors latency ...]

Each round uploads a fresh candidate, begins a rollout under a steady load, and waits for its end. The callers' own log
tells when the evidence was enough; how much later the last request went to the candidate is what a roll back costs.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import candidates
from callers import ENDED, Callers, follow, upload
from crossing import calls_of, crossed_at
from harness import Client, Portal
from servers import serve
from table import heading, median, percentile, show

ENDLESS = {"bake_seconds": 3600, "n_min": 1_000_000, "delta": 0.01}
QUICK = {"bake_seconds": 5, "n_min": 50, "delta": 0.05}
AT_FIVE_PERCENT = {"preset": "canary", "stages": [{"weight_bp": 500, **ENDLESS}]}
IN_SHADOW = {**AT_FIVE_PERCENT, "preset": "shadow_first", "shadow": {"seconds": 3600, "n_min": 1_000_000}}
STEPS = {
    "preset": "canary",
    "stages": [{"weight_bp": weight, **QUICK} for weight in (500, 2_500, 5_000)],
    "holdback": {"seconds": 5, "n_min": 20},
}


class Kind(NamedTuple):
    """`goal` is what may be met until the end, median and 90th percentile: of canary requests, in shadow of pairs."""

    stable: bytes
    candidate: Callable[[int], bytes]
    plan: dict[str, Any]
    goal: str = ""
    warm_seconds: float = 2.0
    most_seconds: float = 240.0


KINDS = {
    "errors 0.1 -> 1 %": Kind(
        candidates.refusing(999), lambda n: candidates.refusing(990, n), AT_FIVE_PERCENT, "600; 1 200"
    ),
    # A thousand answers of stable have to be known before its latency is a measure, and few of them from a portal that
    # has just begun: they would make a slow measure.
    "latency x 1.3": Kind(
        candidates.working(),
        lambda n: candidates.working(candidates.N_MORE_PRODUCTS, n),
        AT_FIVE_PERCENT,
        "450; 700",
        warm_seconds=30.0,
    ),
    "5 % of the answers differ": Kind(
        candidates.adding(), lambda n: candidates.differing(950, n), IN_SHADOW, "450; 850"
    ),
    "every answer differs": Kind(candidates.adding(), lambda n: candidates.adding(n, 20.0), IN_SHADOW),
    "fails always": Kind(candidates.adding(), lambda n: candidates.refusing(0, n), AT_FIVE_PERCENT, "5; 5"),
    "healthy": Kind(candidates.adding(), candidates.adding, STEPS),
}


class Round(NamedTuple):
    """`n_canary` requests of callers, `n_pairs` mirrored ones; `late` is the last canary request's begin after the
    crossing, None where the callers' log never crosses. `seconds` from the first stage to the way back, or the end."""

    state: str
    n_canary: int
    n_pairs: int
    seconds: float
    late: float | None
    failed: int


def main() -> None:
    options = parse()
    heading(f"Rollouts under {options.rate:g} requests per second, {options.processes} web processes")
    found: dict[str, list[Round]] = {}
    with Portal(processes=options.processes, demo=False) as portal:
        for number, name in enumerate(_chosen(options.only)):
            found[name] = []
            for each in play(portal, f"kind-{number}", KINDS[name], options):
                found[name].append(each)
                print(f"{name}: {each}", file=sys.stderr, flush=True)
    report(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--rounds", type=int, default=5, help="rollouts of each kind")
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    parser.add_argument("--only", nargs="+", default=[], help="kinds whose name begins so")
    return parser.parse_args()


def _chosen(only: list[str]) -> list[str]:
    return [name for name in KINDS if not only or name.startswith(tuple(only))]


def play(portal: Portal, slug: str, kind: Kind, options: argparse.Namespace) -> Iterable[Round]:
    client = portal.client()
    serve(client, slug, kind.stable)
    for number in range(1, options.rounds + 1):
        candidate = upload(client, slug, kind.candidate(number))
        yield one_round(portal, client, slug, candidate, kind, options.rate)
        if client.call("GET", f"/v2/models/{slug}").json()["versions"][0] != "1":
            client.call("POST", f"/api/v1/endpoints/{slug}/promote", {"version": 1, "reason": "benchmark"})


def one_round(portal: Portal, client: Client, slug: str, candidate: int, kind: Kind, rate: float) -> Round:
    with Callers(portal, slug, rate) as callers:
        time.sleep(kind.warm_seconds)
        begun = time.monotonic_ns()
        plan = {"candidate": candidate, "reason": "benchmark", "force": True, **kind.plan}
        rollout = client.call("POST", f"/api/v1/endpoints/{slug}/rollouts", plan).json()
        rollout = follow(client, rollout["id"], kind.most_seconds)
        time.sleep(1)
        if rollout["state"] not in ENDED:
            client.call("POST", f"/api/v1/rollouts/{rollout['id']}/abort", {"reason": "too long"})
    return _judged(rollout, callers.records, candidate, begun)


def _judged(rollout: dict[str, Any], records: list[list[int]], candidate: int, begun: int) -> Round:
    calls = calls_of(records, candidate)
    canary = [call.begin for call in calls if call.canary]
    crossed = crossed_at(calls, begun)
    late = None if crossed is None or not canary else (max(canary) - crossed) / 1e9
    failed = sum(status != 200 for _, _, status, _, version in records if version != candidate)
    return Round(rollout["state"], len(canary), rollout["evidence"]["n_pairs"], _seconds(rollout), late, failed)


def _seconds(rollout: dict[str, Any]) -> float:
    moments = {event["number"]: event for event in rollout["events"]}
    ordered = [moments[number] for number in sorted(moments)]
    first = next((event["at"] for event in ordered if event["position"] >= 0), ordered[-1]["at"])
    last = next((event["at"] for event in ordered if event["state_to"] == "rolling_back"), ordered[-1]["at"])
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def report(found: dict[str, list[Round]]) -> None:
    rows = []
    for name, rounds in found.items():
        met = [each.n_canary or each.n_pairs for each in rounds]
        states = sorted({f"{sum(r.state == each.state for r in rounds)} {each.state}" for each in rounds})
        spread = [percentile(met, share) for share in (0.5, 0.9)]
        late = [each.late for each in rounds if each.late is not None]
        delay = [percentile(late, share) if late else None for share in (0.5, 1)]
        seconds = median(each.seconds for each in rounds)
        rows.append([name, ", ".join(states), *map(int, spread), KINDS[name].goal, seconds, *delay, len(late)])
    columns = ["candidate", "ended", "met it: p50", "p90", "goal", "seconds", "late s: p50", "max", "n"]
    show(columns, rows)
    late = [each.late for rounds in found.values() for each in rounds if each.late is not None]
    print(
        f"Enough evidence until the last canary request: p99 {percentile(late, 0.99):.2f} s of {len(late)}, goal 15 s"
    )
    print(f"Requests that failed without meeting the candidate: {sum(r.failed for x in found.values() for r in x)}")


if __name__ == "__main__":
    main()
