"""Does every rollout end in one way only, whoever races for it and whoever dies?

    python3 benchmarks/rollout_trouble.py [--races 1000] [--kills 50] [--lanes 4] [--processes 2]

Races: three persons abort, promote and advance one rollout on the same state at the same moment; every other candidate
fails, so that the controller takes part. Kills: the controller is killed at random moments of rollouts that go on.
Exits with 1 if anything is not as it has to be.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import sys
import time
from collections import Counter

from harness import Portal
from kills import Killed, run_kills
from races import VERBS, Race, run_races
from table import heading, show


def main() -> None:
    options = parse()
    heading(f"{options.races} races for a rollout and {options.kills} killed controllers")
    faults: list[str] = []
    with Portal(processes=options.processes, demo=False) as portal:
        if options.races:
            faults += report_races(run_races(portal, options.races, options.lanes))
        if options.kills:
            began = time.monotonic()
            faults += report_kills(run_kills(portal, options.kills, options.lanes), time.monotonic() - began)
    for fault in faults[:20]:
        print(fault)
    print(f"Not as it has to be: {len(faults)}")
    sys.exit(1 if faults else 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--races", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--lanes", type=int, default=4, help="endpoints at the same time")
    parser.add_argument("--processes", type=int, default=2, help="web processes")
    return parser.parse_args()


def report_races(races: list[Race]) -> list[str]:
    won = Counter(race.won for race in races)
    show(["won by", "races"], [[name, won[name]] for name in (*VERBS, "the controller")])
    codes = Counter(code for race in races for code in race.codes)
    n_winners = Counter(race.statuses.count(200) for race in races)
    print(f"Races: {len(races)}; with one person who won: {n_winners[1]}, with none: {n_winners[0]}, more: ", end="")
    print(sum(n for winners, n in n_winners.items() if winners > 1))
    print(f"Losers were told: {dict(codes)}\n")
    return [fault for race in races for fault in race.faults]


def report_kills(killed: Killed, seconds: float) -> list[str]:
    show(["ended", "rollouts"], [[state, n] for state, n in sorted(killed.ends.items())])
    print(f"Kills: {killed.n_kills} in {seconds:.0f} s; rollouts stood then: {dict(killed.states)}\n")
    return killed.faults


if __name__ == "__main__":
    main()
