"""Uploads a large file over REST: its speed beside `cp` of the same file, and how much the web processes grow.

    python3 benchmarks/upload.py [--megabytes 1000] [--rounds 3] [--folder /tmp]

The file holds random bytes, so it takes the whole way to the disk and ends as rejected. `cp` counts with an fsync,
because an upload is answered only when its file is on disk. Needs room for five times the file.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from harness import Client, Portal
from table import heading, median, show

BLOCK = 1 << 20
MODEL = "upload-benchmark"
NOT_A_MODEL = b"\xff" * 16


class Growth:
    """Samples how much memory (RSS) the processes hold together; `bytes` is the most above the beginning."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.processes = processes
        self.bytes = 0

    def __enter__(self) -> Self:
        self.before = self._now()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, self._now() - self.before)

    def _now(self) -> int:
        total = 0
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total


def main() -> None:
    options = parse()
    heading(f"Upload of {options.megabytes} MB over REST")
    rates: dict[str, list[float]] = {"cp and fsync": [], "upload": []}
    growths = []
    os.environ["TMPDIR"] = tempfile.tempdir = options.folder
    with tempfile.TemporaryDirectory(prefix="slipway-benchmark-") as folder, Portal(demo=False) as portal:
        source = Path(folder) / "random.bin"
        write_random(source, options.megabytes)
        upload(portal.client(), lambda: iter([NOT_A_MODEL]), len(NOT_A_MODEL))  # the first request loads code
        for _round in range(options.rounds):
            rates["cp and fsync"].append(options.megabytes / copy(source))
            with Growth(portal.web_processes()) as growth:
                seconds = upload(portal.client(), lambda: blocks(source), source.stat().st_size)
            rates["upload"].append(options.megabytes / seconds)
            growths.append(growth.bytes / 1e6)
    base = median(rates["cp and fsync"])
    columns = ["", "MB/s", "of cp", "web memory grew by, MB"]
    rows: list[list[object]] = [[name, median(found), median(found) / base, None] for name, found in rates.items()]
    rows[-1][-1] = max(growths)
    show(columns, rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the file, in millions of bytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where file, copy and data folder lie")
    return parser.parse_args()


def write_random(path: Path, megabytes: int) -> None:
    with path.open("wb") as file:
        file.write(NOT_A_MODEL)
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))


def blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def copy(source: Path) -> float:
    """Seconds until a copy of the file is on disk."""
    target = source.with_suffix(".copy")
    began = time.monotonic()
    subprocess.run(["cp", str(source), str(target)], check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    seconds = time.monotonic() - began
    target.unlink()
    return seconds


def upload(client: Client, parts: object, size: int) -> float:
    """Seconds until the upload is answered. Waits for its verdict and deletes it again, each time anew."""
    client.call("POST", "/api/v1/models", {"name": MODEL})
    began = time.monotonic()
    path = f"/api/v1/models/{MODEL}/versions"
    client.send_file(path, {}, parts(), size, "random.onnx")  # type: ignore[operator]
    seconds = time.monotonic() - began
    while (status := client.call("GET", f"{path}/1").json()["status"]) == "validating":
        time.sleep(0.1)
    if status != "rejected":
        raise SystemExit(f"Random bytes ended as {status}.")
    client.call("DELETE", f"/api/v1/models/{MODEL}")
    return seconds


if __name__ == "__main__":
    main()
