"""How long the first start takes on a machine with nothing but Python, and how long the starts after it.

    python3 benchmarks/start.py [--starts 5] [--working-copy] [--skip-setup]

A bare checkout is cloned into a temporary folder and started with an empty home: virtual environment, packages from
the index that pip is set to, stores, migrations, static files, demo. Then it is stopped and started again on its data.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from enter import ROOT
from harness import Portal
from table import heading, median, show


def main() -> None:
    options = parse()
    heading("From a bare checkout to READY, and from one start to the next")
    with tempfile.TemporaryDirectory(prefix="slipway-start-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        home.mkdir()
        root = ROOT if options.skip_setup else checkout(Path(folder) / "checkout", working_copy=options.working_copy)
        report(*measure(root, home, options.starts), skipped=options.skip_setup)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--starts", type=int, default=5, help="starts after the first one")
    parser.add_argument("--working-copy", action="store_true", help="with what is not committed yet")
    parser.add_argument("--skip-setup", action="store_true", help="use the .venv that is here: only the data is new")
    return parser.parse_args()


def checkout(target: Path, *, working_copy: bool) -> Path:
    if not working_copy:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
        return target
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def measure(root: Path, home: Path, n_starts: int) -> tuple[float, list[float], list[float]]:
    """Seconds of the first start, of the ones after it, and of the stops."""
    portal = Portal(root=root, home=home, python=str(Path(sys.executable).resolve()))
    try:
        first = portal.start()
        stops, starts = [portal.stop()], list[float]()
        for _ in range(n_starts):
            starts.append(portal.start())
            stops.append(portal.stop())
    finally:
        portal.remove()
    return first, starts, stops


def report(first: float, starts: list[float], stops: list[float], *, skipped: bool) -> None:
    name = "first start, packages already there" if skipped else "first start, from a bare checkout"
    rows: list[list[object]] = [[name, 1, first, None, None]]
    for what, values in (("second and later starts", starts), ("Ctrl-C until all has ended", stops)):
        if values:
            rows.append([what, len(values), median(values), min(values), max(values)])
    show(["", "n", "median s", "best s", "worst s"], rows)


if __name__ == "__main__":
    main()
