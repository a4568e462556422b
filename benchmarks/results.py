"""What a comparison found: figures by server and cell, one per round; its tables and the goals."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from drive import Figures
from table import median, show

RAW = "session.run in process"
OURS, FASTAPI = "Slipway", "FastAPI at its best"


class Results:
    """`memory` is in bytes, by server."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], list[Figures]] = defaultdict(list)
        self.memory: dict[str, int] = {}

    def servers(self) -> list[str]:
        return list(dict.fromkeys(server for server, _cell in self.rounds))

    def cells(self) -> list[str]:
        return list(dict.fromkeys(cell for _server, cell in self.rounds))

    def value(self, server: str, cell: str, key: str) -> float | None:
        found = self.rounds.get((server, cell))
        return median(figures[key] for figures in found) if found else None

    def ratio(self, cell: str, other: str, key: str = "rate") -> float | None:
        """Ours by another's: the median over the rounds, as the machine's speed moves between them."""
        pairs = zip(self.rounds.get((OURS, cell), []), self.rounds.get((other, cell), []), strict=False)
        ratios = [ours[key] / theirs[key] for ours, theirs in pairs if theirs[key]]
        return median(ratios) if ratios else None

    def memory_ratio(self, other: str) -> float | None:
        ours, theirs = self.memory.get(OURS), self.memory.get(other)
        return ours / theirs if ours and theirs else None

    def as_json(self) -> dict[str, Any]:
        rounds: dict[str, dict[str, list[Figures]]] = defaultdict(dict)
        for (server, cell), found in self.rounds.items():
            rounds[server][cell] = found
        return {"rounds": rounds, "memory_bytes": self.memory}

    def show(self) -> None:
        cells = self.cells()
        for key, title in (("rate", "Predictions per second"), ("p50", "p50 ms"), ("p99", "p99 ms")):
            print(f"{title}\n")
            rows = [[server, *(self.value(server, cell, key) for cell in cells)] for server in self.servers()]
            if key == "rate":
                rows += [[f"ours of {name}", *(self.ratio(cell, name) for cell in cells)] for name in self._others()]
            show(["", *cells], rows)
        if self.memory:
            show(["", "memory MB (PSS)"], [[name, size / 1e6] for name, size in self.memory.items()])
        failed = {key: n for key, found in self.rounds.items() if (n := sum(figures["failed"] for figures in found))}
        print(f"Failed requests: {failed or 'none'}\n")

    def _others(self) -> list[str]:
        return [name for name in self.servers() if name != OURS] if OURS in self.servers() else []


class Goal(NamedTuple):
    """`value` compared with `bound`, by <= where `most`, else by >=."""

    text: str
    value: float
    bound: float
    most: bool = False

    def row(self) -> list[Any]:
        met = (operator.le if self.most else operator.ge)(self.value, self.bound)
        return [self.text, self.value, self.bound, "met" if met else "short"]


def goals(results: Results) -> Iterator[tuple[str, float | None, float, bool]]:
    """Text, what was found or None, bound, and whether the bound is the most."""
    ratio = results.ratio
    for cell in ("iris c=8", "iris c=32"):
        yield f"{cell}: of FastAPI", ratio(cell, FASTAPI), 1.5, False
        yield f"{cell}: p99, of FastAPI's at most", ratio(cell, FASTAPI, "p99"), 0.8, True
    yield "iris c=1: p50, of FastAPI's at most", ratio("iris c=1", FASTAPI, "p50"), 1.0, True
    for cell, bound in (("cnn c=32", 1.3), ("mobilenet c=8", 1.1), ("iris 512 rows c=8", 1.0)):
        yield f"{cell}: of FastAPI", ratio(cell, FASTAPI), bound, False
    for cell, bound in OF_RAW:
        yield f"{cell}: of session.run", ratio(cell, RAW), bound, False
    yield "encoder c=32: p99, of 32 / throughput at most", _queueing(results), 1.3, True
    yield "memory: of FastAPI's at most", results.memory_ratio(FASTAPI), 0.7, True


OF_RAW = (
    ("encoder c=8", 0.95),
    ("encoder c=32", 0.95),
    ("resnet18 binary c=8", 0.96),
    ("mobilenet binary c=8", 0.90),
    ("encoder c=1", 0.84),
)


def _queueing(results: Results) -> float | None:
    """p99 by the mean time that 32 requests in flight must take at this throughput."""
    rate, p99 = (results.value(OURS, "encoder c=32", key) for key in ("rate", "p99"))
    return p99 / (32e3 / rate) if rate and p99 else None


def show_goals(results: Results) -> None:
    """Those that this run has measured."""
    found = [Goal(text, value, bound, most) for text, value, bound, most in goals(results) if value is not None]
    show(["goal", "found", "bound", ""], [goal.row() for goal in found])
