"""This portal beside other servers and beside `session.run`: predictions per second, latencies, memory, goals.

    python3 benchmarks/serve.py [--seconds 5] [--rounds 3] [--only "iris c=8,encoder c=32"] [--servers slipway,fastapi]
    python3 benchmarks/serve.py --install-peers
    python3 benchmarks/serve.py --sweep models|payload|rows|connections|processes

All servers run side by side and are measured in turns, one at a time, while the others are idle; each server's answers
are compared with `session.run` before anything is measured. Peers live in virtual environments below
`~/.cache/slipway-benchmarks` (--peers), which --install-peers makes with pip. Needs `wrk`.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import sweeps
from cells import CELLS, Cell
from drive import NO_WRK, has_wrk
from models import MODELS
from results import RAW, Results, show_goals
from servers import PEER_KINDS, PEERS, Server, Slipway
from table import heading

NAMES = ("slipway", *(kind.folder for kind in PEER_KINDS), "raw")


def main() -> None:
    options = parse()
    if options.install_peers:
        return install(options)
    if not has_wrk():
        print(NO_WRK)
    if options.sweep:
        return sweeps.run(options.sweep, options)
    heading(f"Predictions: {options.processes} processes each, {options.rounds} rounds of {options.seconds:g} s")
    results = compare([CELLS[name] for name in options.only], options)
    results.show()
    show_goals(results)
    if options.json:
        options.json.write_text(json.dumps(results.as_json(), indent=1))
    return None


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2, help="processes of each server")
    parser.add_argument("--only", type=listed(CELLS), default=list(CELLS), help=f"of: {', '.join(CELLS)}")
    parser.add_argument("--servers", type=listed(NAMES), default=list(NAMES), help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, help="also write every figure into this file")
    parser.add_argument("--peers", type=Path, default=PEERS, help="where the peers' virtual environments lie")
    parser.add_argument("--install-peers", action="store_true", help="make those that are missing, and end")
    parser.add_argument("--sweep", choices=list(sweeps.SWEEPS), help="this portal alone, with one thing varied")
    return parser.parse_args()


def listed(known: Iterable[str]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of: {', '.join(known)}")
        return names

    return split


def install(options: argparse.Namespace) -> None:
    for kind in PEER_KINDS:
        peer = kind([], options.processes, options.peers)
        if not peer.is_installed():
            print(f"Installing {peer.name} into {peer.venv} ...", flush=True)
            peer.install()


def compare(cells: list[Cell], options: argparse.Namespace) -> Results:
    results = Results()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server) for server in chosen(options)]
        for server in servers:
            for cell in speakable(server, cells):
                cell.check(server)
                cell.measure(server, 1.0)  # warm, as is every other one
        for _round in range(options.rounds):
            for cell in cells:
                measure(cell, servers, results, options)
        results.memory = {server.name: server.memory_bytes() for server in servers}
    return results


def measure(cell: Cell, servers: list[Server], results: Results, options: argparse.Namespace) -> None:
    for server in servers:
        if speakable(server, [cell]):
            results.rounds[server.name, cell.name].append(cell.measure(server, options.seconds))
    if "raw" in options.servers:
        results.rounds[RAW, cell.name].append(cell.measure_raw(options.seconds))


def speakable(server: Server, cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if server.speaks_binary or not cell.binary]


def chosen(options: argparse.Namespace) -> list[Server]:
    servers: list[Server] = []
    if "slipway" in options.servers:
        servers.append(Slipway(MODELS.values(), options.processes))
    for kind in PEER_KINDS:
        peer = kind(MODELS.values(), options.processes, options.peers)
        if kind.folder not in options.servers:
            continue
        if peer.is_installed():
            servers.append(peer)
        else:
            print(f"{peer.name} is not installed: python3 benchmarks/serve.py --install-peers\n")
    return servers


if __name__ == "__main__":
    main()
