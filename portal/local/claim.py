"""One owner per data folder: a lock that the kernel lets go when the owner dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO

from portal.local.console import CannotStart
from portal.local.paths import Layout


@dataclass(frozen=True)
class Owner:
    pid: int
    command: str
    url: str = ""

    def __str__(self) -> str:
        where = f" at {self.url}" if self.url else ""
        return f"`python3 manage.py {self.command}`{where} (process {self.pid})"


class Taken(CannotStart):
    """Somebody owns the data folder already."""


@contextlib.contextmanager
def claim(layout: Layout, owner: Owner) -> Iterator[None]:
    with open(layout.lock, "a+", encoding="utf-8") as file:
        if not _lock_soon(file):
            raise Taken(f"{layout.data} is in use by {owner_of(layout) or 'another command'}.")
        layout.make()  # again: an owner that was just ending may have taken the empty socket folder away
        # Cleaners of /tmp (systemd-tmpfiles) leave a locked folder alone.
        sockets = os.open(layout.private, os.O_RDONLY)
        fcntl.flock(sockets, fcntl.LOCK_SH)
        file.truncate(0)
        file.write(json.dumps(asdict(owner)))
        file.flush()
        try:
            yield
        finally:
            layout.stores_file.unlink(missing_ok=True)
            file.truncate(0)
            os.close(sockets)
            _tidy(layout)


def _tidy(layout: Layout) -> None:
    """Leaves no empty folder behind in /tmp."""
    for folder in (layout.private / "pg", layout.private):
        with contextlib.suppress(OSError):
            folder.rmdir()


def owner_of(layout: Layout) -> Owner | None:
    """Who runs the stores of this data folder now."""
    try:
        with open(layout.lock, "r+", encoding="utf-8") as file:
            if _try_lock(file):
                return None
            return Owner(**json.loads(file.read()))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def guest(layout: Layout) -> Iterator[None]:
    """Marks that a command uses stores that another one started."""
    with open(layout.run / "guests.lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def wait_for_guests(layout: Layout) -> None:
    with open(layout.run / "guests.lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def _lock_soon(file: IO[str], seconds: float = 0.5) -> bool:
    """Tries for a moment: somebody who only asks who the owner is holds the lock for an instant."""
    end = time.monotonic() + seconds
    while not _try_lock(file):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(layout: Layout, content: dict[str, str]) -> None:
    """`stores.json`, complete or absent, for our eyes only."""
    draft = layout.stores_file.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(draft, layout.stores_file)
