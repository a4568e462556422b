"""What is loaded, as the page shows it: one row for each loaded file, however many processes hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from inference.models import ServingProcess
from inference.selectors.serving import LivePlace, LoadedSession, LoadedVersion, ProcessLoad

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class LoadedRow:
    """Memory, runs and restarts are sums over `processes`."""

    versions: list[LoadedVersion]
    isolated: bool
    processes: list[ServingProcess] = field(default_factory=list)
    memory_bytes: int = 0
    runs: int = 0
    restarts: int = 0
    last_used: datetime | None = None

    @property
    def name(self) -> tuple[str, int]:
        first = self.versions[0].version
        return first.model.name, -first.number

    @property
    def places(self) -> list[LivePlace]:
        return [place for loaded in self.versions for place in loaded.places]

    def add(self, process: ServingProcess, session: LoadedSession) -> None:
        self.processes.append(process)
        self.memory_bytes += session.memory_bytes
        self.runs += session.runs
        self.restarts += session.restarts
        self.last_used = max(filter(None, (self.last_used, session.last_used)), default=None)


ORDERS: dict[str, Callable[[LoadedRow], Any]] = {
    "name": lambda row: row.name,
    "memory": lambda row: (row.memory_bytes, row.name),
    "runs": lambda row: (row.runs, row.name),
    "used": lambda row: (row.last_used or NEVER, row.name),
}


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the processes that hold a lease; what the others had may be gone. Memory also counts sessions unseen here."""

    processes: int
    leased: int
    sessions: int
    runs: int
    session_bytes: int
    budget_bytes: int


def leased_only(loads: Iterable[ProcessLoad]) -> list[ProcessLoad]:
    return [load for load in loads if load.leased]


def totals_of(loads: Sequence[ProcessLoad], budget_bytes: int) -> Totals:
    """`budget_bytes` is that of one process."""
    leased = leased_only(loads)
    return Totals(
        len(loads),
        len(leased),
        sum(len(load.process.sessions) for load in leased),
        sum(session.runs for load in leased for session in load.sessions),
        sum(load.process.session_bytes for load in leased),
        budget_bytes * len(leased),
    )


def rows_of(loads: Iterable[ProcessLoad], search: str, sort: str) -> list[LoadedRow]:
    """Rows whose model or endpoint has `search` in its name; `sort` is a key of `ORDERS`, with a minus downwards."""
    rows: dict[str, LoadedRow] = {}
    for load in loads:
        for session in load.sessions:
            row = rows.setdefault(session.sha256, LoadedRow(session.versions, session.isolated))
            row.add(load.process, session)
    found = [row for row in rows.values() if _matches(row, search.lower())]
    return sorted(found, key=ORDERS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _matches(row: LoadedRow, search: str) -> bool:
    names = [loaded.version.model.name for loaded in row.versions] + [place.slug for place in row.places]
    return any(search in name.lower() for name in names)
