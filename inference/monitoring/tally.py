"""What one version has answered at one endpoint: numbers that only grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from inference.monitoring import histogram
from inference.monitoring.histogram import Counts

SUMS = ("n_rows", "seconds", "queue_seconds", "decode_seconds", "run_seconds", "encode_seconds", "failed_seconds")
HISTOGRAMS = ("latency", "queue", "runs")


class Served(NamedTuple):
    """Who answered: a version at an endpoint, as a variant of its split, or pinned where `variant` is empty."""

    endpoint_id: int
    endpoint: str
    version_id: int
    version: int
    variant: str


class Tally:
    """All sums in seconds; `latency`, `queue`, `runs` and the sums but the last are of good answers only.

    `failures` counts the others by (status, code). `batches` maps the rows of a run to [runs, decode seconds, run
    seconds, encode seconds]: requests that were joined make one run. `last` is when it last answered well, in seconds
    since the epoch, to the second.
    """

    __slots__ = ("batches", "failures", "last", *HISTOGRAMS, *SUMS)
    n_rows: int
    seconds: float
    queue_seconds: float
    decode_seconds: float
    run_seconds: float
    encode_seconds: float
    failed_seconds: float
    latency: Counts
    queue: Counts
    runs: Counts

    def __init__(self) -> None:
        for name in SUMS:
            setattr(self, name, 0 if name == "n_rows" else 0.0)
        for name in HISTOGRAMS:
            setattr(self, name, {})
        self.failures: dict[tuple[int, str], int] = {}
        self.batches: dict[int, list[float]] = {}
        self.last = 0.0

    @property
    def n_ok(self) -> int:
        return sum(self.latency.values())

    @property
    def n_failed(self) -> int:
        return sum(self.failures.values())

    @property
    def n_runs(self) -> int:
        return int(sum(batch[0] for batch in self.batches.values()))

    @property
    def own_run_seconds(self) -> float:
        """What the runs took: a run that answers several requests counts once, unlike in `run_seconds`."""
        return sum(batch[2] for batch in self.batches.values())

    def copy(self) -> Tally:
        """Safe while another thread counts: each part is copied in one step of the interpreter."""
        made = Tally()
        for name in SUMS:
            setattr(made, name, getattr(self, name))
        for name in HISTOGRAMS:
            setattr(made, name, dict(getattr(self, name)))
        made.failures = dict(self.failures)
        made.batches = {rows: [*batch] for rows, batch in dict(self.batches).items()}
        made.last = self.last
        return made

    def add(self, other: Tally) -> None:
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in HISTOGRAMS:
            histogram.merge(getattr(self, name), getattr(other, name))
        for key, count in other.failures.items():
            self.failures[key] = self.failures.get(key, 0) + count
        for rows, batch in other.batches.items():
            self.batches[rows] = [a + b for a, b in zip(self.batches.get(rows, [0.0] * 4), batch, strict=True)]
        self.last = max(self.last, other.last)

    def since(self, earlier: Tally) -> Tally:
        """What was counted after an earlier copy."""
        made = Tally()
        for name in SUMS:
            setattr(made, name, getattr(self, name) - getattr(earlier, name))
        for name in HISTOGRAMS:
            setattr(made, name, histogram.difference(getattr(self, name), getattr(earlier, name)))
        failures = {key: count - earlier.failures.get(key, 0) for key, count in self.failures.items()}
        made.failures = {key: count for key, count in failures.items() if count}
        for rows, batch in self.batches.items():
            gained = [a - b for a, b in zip(batch, earlier.batches.get(rows, [0.0] * 4), strict=True)]
            if gained[0]:
                made.batches[rows] = gained
        made.last = self.last
        return made

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {name: getattr(self, name) for name in SUMS}
        data.update((name, getattr(self, name)) for name in HISTOGRAMS)
        data["failures"] = [[*key, count] for key, count in self.failures.items()]
        data["batches"] = [[rows, *batch] for rows, batch in self.batches.items()]
        data["last"] = self.last
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        made = cls()
        for name in SUMS:
            setattr(made, name, type(getattr(made, name))(data[name]))
        for name in HISTOGRAMS:
            setattr(made, name, histogram.from_json(data[name]))
        made.failures = {(int(status), str(code)): int(count) for status, code, count in data["failures"]}
        made.batches = {int(rows): [float(part) for part in batch] for rows, *batch in data["batches"]}
        made.last = float(data["last"])
        return made
