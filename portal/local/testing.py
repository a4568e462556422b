"""`python3 manage.py test [pytest arguments]`: stores of its own in a temporary folder, then the whole suite."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from portal.local import stores
from portal.local.paths import ROOT, Layout

_FOREIGN = (
    "DATABASE_URL",
    "REDIS_URL",
    "DATABASE_URL_FILE",
    "REDIS_URL_FILE",
    "PORTAL_SECRET_KEY",
    "PORTAL_SECRET_KEY_FILE",
)
# Half of the time the whole suite waits for portals that start and for what happens in them, so two at once pay. More
# would only get into each other's way on two cores. What shares a portal stays together (`tests/parallel.py`).
_PARALLEL = ("-n", "2")


def main(argv: list[str]) -> int:
    for name in _FOREIGN:  # tests never touch anybody's real data
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="slipway-test-")).resolve()
    folder.chmod(0o711)
    os.environ["PORTAL_DATA_DIR"] = str(folder)
    layout = Layout(folder)
    try:
        with stores.running(layout, "test", durable=False):
            return _pytest(argv[2:])
    finally:
        for leftover in (folder, layout.private):
            shutil.rmtree(leftover, ignore_errors=True)


def _pytest(arguments: list[str]) -> int:
    parallel = _PARALLEL if _is_whole_suite(arguments) else ()
    process = subprocess.Popen([sys.executable, "-m", "pytest", *parallel, *arguments], cwd=ROOT)
    # A Ctrl-C reaches pytest by itself: it ends with a summary, and only then the stores stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    return process.wait()


def _is_whole_suite(arguments: list[str]) -> bool:
    """Only switches, and none that chooses or that has its own idea of processes."""
    return all(argument in ("-q", "-v", "-vv", "-ra", "-s") for argument in arguments)
