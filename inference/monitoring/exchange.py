"""How the serving processes of one machine know each other's counts: one small file each, and one of those that ended.

The folder is `PROMETHEUS_MULTIPROC_DIR`; without it a process knows only itself. Files are replaced in one step, so a
reader never meets half of one, and what cannot be read is passed over. A lock keeps readers and the folding apart:
folding adds the file of an ended process to `ended` and deletes it, so counts stay and files do not pile up.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psutil

from inference.monitoring.state import State

ENDED = "ended.json"
PREFIX = "process-"
# Of another host's process nothing else is known than that its file stands still.
SILENT_SECONDS = 600.0


class Identity(NamedTuple):
    """A pid alone is not enough: it comes again. `born` is when the process started, in seconds since the epoch."""

    host: str
    pid: int
    born: float

    @classmethod
    def own(cls) -> Identity:
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def is_alive(self, file: Path) -> bool:
        if self.host != socket.gethostname():
            return time.time() - file.stat().st_mtime < SILENT_SECONDS
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) < 1.0
        except psutil.Error:
            return False


class Published(NamedTuple):
    file: Path
    identity: Identity
    state: State
    ended: bool


def folder() -> Path | None:
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


class Exchange:
    """One folder. `publish` is for the process whose `name` it is; everybody may `read` and `fold`."""

    def __init__(self, place: Path, name: UUID | None = None) -> None:
        self._place = place
        self._file = place / f"{PREFIX}{name}.json"
        self._identity = Identity.own()
        place.mkdir(parents=True, exist_ok=True)

    def publish(self, state: State, *, ended: bool = False) -> None:
        """Replaces what this process said before. Raises OSError."""
        _write(self._file, {"identity": [*self._identity], "ended": ended, "state": state.to_json()})

    def read(self) -> State:
        """All processes together, also those that have ended; gauges only of the living."""
        with self._locked(fcntl.LOCK_SH):
            whole, folded = self._read_ended()
            for published in self._published():
                if published.file.name not in folded:
                    whole.add(_without_gauges(published) if _is_over(published) else published.state)
        return whole

    def fold(self) -> int:
        """Adds the counts of the ended to one file and deletes theirs; returns how many. Safe to be killed in."""
        with self._locked(fcntl.LOCK_EX):
            whole, folded = self._read_ended()
            over = [published for published in self._published() if _is_over(published)]
            for published in over:
                if published.file.name not in folded:
                    whole.add(_without_gauges(published))
            if over:
                names = [published.file.name for published in over]
                _write(self._place / ENDED, {"folded": names, "state": whole.to_json()})
                for name in names:
                    (self._place / name).unlink(missing_ok=True)
            return len(over)

    def _read_ended(self) -> tuple[State, set[str]]:
        """Also the files that are in it already: who folded them may have been killed before deleting them."""
        data = _read(self._place / ENDED)
        try:
            return State.from_json(data["state"]), set(data["folded"])
        except (KeyError, TypeError, ValueError):
            return State(), set()

    def _published(self) -> Iterator[Published]:
        for file in sorted(self._place.glob(f"{PREFIX}*.json")):
            data = _read(file)
            try:
                state = State.from_json(data["state"])
                yield Published(file, Identity(*data["identity"]), state, bool(data["ended"]))
            except (KeyError, TypeError, ValueError):
                continue

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with (self._place / "lock").open("a") as file:
            fcntl.flock(file, how)
            yield


def _is_over(published: Published) -> bool:
    try:
        return published.ended or not published.identity.is_alive(published.file)
    except OSError:
        return True


def _without_gauges(published: Published) -> State:
    published.state.gauges.clear()
    return published.state


def _read(file: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write(file: Path, data: dict[str, Any]) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS))
    part.replace(file)
