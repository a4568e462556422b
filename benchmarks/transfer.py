"""Large files on their way to a disk, and the memory that grows meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from harness import Client

BLOCK = 1 << 20
MODEL = "upload-benchmark"
NOT_A_MODEL = b"\xff" * 16


class Meter:
    """Around what is timed: `seconds` it took, `busy_seconds` of processor time that the servers' processes took
    together, and `bytes`, the most memory (RSS) that they held above the beginning."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.processes = processes
        self.bytes, self.seconds, self.busy_seconds = 0, 0.0, 0.0

    def __enter__(self) -> Self:
        self.before, self._busy_before = self._now(), self._busy()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._began
        self._done.set()
        self._thread.join()
        self.busy_seconds = self._busy() - self._busy_before

    def _busy(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return sum(taken.user + taken.system for taken in times)

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, self._now() - self.before)

    def _now(self) -> int:
        total = 0
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total


def write_random(path: Path, megabytes: int) -> None:
    with path.open("wb") as file:
        file.write(NOT_A_MODEL)
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))


def blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def copy(source: Path, meter: Meter) -> None:
    """Until a copy of the file is on disk."""
    target = source.with_suffix(".copy")
    with meter:
        subprocess.run(["cp", str(source), str(target)], check=True)
        with target.open("rb") as file:
            os.fsync(file.fileno())
    target.unlink()


def upload(client: Client, parts: object, size: int, meter: Meter) -> None:
    """Until the upload is answered. Waits for its verdict and deletes it again, each time anew."""
    client.call("POST", "/api/v1/models", {"name": MODEL})
    path = f"/api/v1/models/{MODEL}/versions"
    with meter:
        client.send_file(path, {}, parts(), size, "random.onnx")  # type: ignore[operator]
    while (status := client.call("GET", f"{path}/1").json()["status"]) == "validating":
        time.sleep(0.1)
    if status != "rejected":
        raise SystemExit(f"Random bytes ended as {status}.")
    client.call("DELETE", f"/api/v1/models/{MODEL}")
