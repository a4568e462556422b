"""What one process has counted since its start, or several of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from inference.monitoring.tally import Served, Tally

# What a serving process counts besides answers.
LOADS = "session_loads"
RESTARTS = "isolated_restarts"
QUARANTINES = "quarantines"
CAPTURED = "captured_records"
DISAGREEMENTS = "disagreements"


class Refusal(NamedTuple):
    """An answer of no version: `endpoint` is empty where none was found, so that strangers cannot make up names."""

    endpoint: str
    status: int
    code: str


class Event(NamedTuple):
    """Something that happened beside the answers, such as a load; `result` is "ok" or a code."""

    name: str
    result: str


@dataclass(frozen=True)
class Gauges:
    """How a process stands now. `queue` maps (endpoint's slug, version's number) to requests that wait."""

    in_flight: int = 0
    queue: Mapping[tuple[str, int], int] = field(default_factory=dict)
    n_sessions: int = 0
    session_bytes: int = 0
    n_quarantined: int = 0
    memory_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "queue": [[*key, length] for key, length in self.queue.items()]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Gauges:
        queue = {(str(slug), int(version)): int(length) for slug, version, length in data["queue"]}
        return cls(**{**data, "queue": queue})


@dataclass
class State:
    """`gauges` is by process, and empty for those that have ended."""

    tallies: dict[Served, Tally] = field(default_factory=dict)
    refusals: Counter[Refusal] = field(default_factory=Counter)
    events: Counter[Event] = field(default_factory=Counter)
    gauges: dict[int, Gauges] = field(default_factory=dict)

    def add(self, other: State) -> None:
        for served, tally in other.tallies.items():
            if served in self.tallies:
                self.tallies[served].add(tally)
            else:
                self.tallies[served] = tally.copy()
        self.refusals.update(other.refusals)
        self.events.update(other.events)
        self.gauges.update(other.gauges)

    def to_json(self) -> dict[str, Any]:
        """Buckets stay numbers: writing them as text is left to who writes the JSON."""
        return {
            "tallies": [[*served, tally.to_json()] for served, tally in self.tallies.items()],
            "refusals": _counted(self.refusals),
            "events": _counted(self.events),
            "gauges": [[pid, gauges.to_json()] for pid, gauges in self.gauges.items()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Raises KeyError, TypeError or ValueError for what is not a state."""
        return cls(
            {Served(*served): Tally.from_json(tally) for *served, tally in data["tallies"]},
            Counter({Refusal(*key): count for *key, count in data["refusals"]}),
            Counter({Event(*key): count for *key, count in data["events"]}),
            {int(pid): Gauges.from_json(gauges) for pid, gauges in data["gauges"]},
        )


def _counted(counter: Mapping[Any, int]) -> list[list[Any]]:
    return [[*key, count] for key, count in counter.items()]
