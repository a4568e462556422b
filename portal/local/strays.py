"""Ends what a killed `up` left running on this data folder, before a new one starts there.

The owner's lock is held by whoever calls this, so every process found here has lost its owner.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

from portal.local.console import say
from portal.local.paths import Layout

MARK = "PORTAL_SUPERVISED_DATA_DIR"
_WORDS = ((signal.SIGTERM, 2.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
_STORES = ("postgres", "valkey-server", "redis-server")


def find(layout: Layout) -> list[psutil.Process]:
    """Stores are known by their working folder (PostgreSQL overwrites its environment), the others by their mark."""
    return [process for process in psutil.process_iter(["name"]) if _is_ours(process, layout)]


def _is_ours(process: psutil.Process, layout: Layout) -> bool:
    try:
        if process.info["name"] in _STORES:
            return Path(process.cwd()) in (layout.data / "postgres", layout.data / "valkey")
        return process.pid != psutil.Process().pid and process.environ().get(MARK) == str(layout.data)
    except (psutil.Error, OSError):
        return False


def end(layout: Layout) -> None:
    """Asks, then insists. Looks again each time, because a dying master may have started another process meanwhile."""
    for number, seconds in _WORDS:
        if not (strays := find(layout)):
            return
        if number == signal.SIGTERM:
            names = ", ".join(sorted({process.info["name"] for process in strays}))
            say(f"Ending {len(strays)} processes that an earlier start left behind ({names}) ...")
        for process in strays:
            _send(process, number)
        _wait(strays, seconds)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """SIGTERM would let PostgreSQL wait for its last client, so its first word is SIGINT."""
    if number == signal.SIGTERM and process.info["name"] == "postgres":
        number = signal.SIGINT
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    end = time.monotonic() + seconds
    while any(map(_alive, processes)) and time.monotonic() < end:
        time.sleep(0.02)


def _alive(process: psutil.Process) -> bool:
    """A zombie has ended; where process 1 of a container doesn't collect it, it stays in the list for ever."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
