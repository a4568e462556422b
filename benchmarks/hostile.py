"""Hundreds of hostile models and thousands of mutants, uploaded to a portal that serves somebody else meanwhile.

    python3 benchmarks/hostile.py [--mutants 5000] [--senders 3] [--rate 50] [--every 1]

Counts what must not happen: a web process that dies, an upload without a verdict within a minute, bytes of other files
in an answer, files left behind. And compares the neighbours' latency with that of a quiet time before and after.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cells import IRIS, Cell
from drive import Request
from enter import ROOT
from harness import Client, Portal
from servers import Slipway
from table import heading, percentile, show

sys.path.insert(0, str(ROOT))
from tests.hostile import corpus
from tests.hostile.mutants import mutants

GOAL_SECONDS = 60.0
QUIET_SECONDS = 20.0
# Of files that no answer may ever quote.
SECRETS = (b"root:x:0:0", b"daemon:x:", b"Slipway's entry", b"DATABASE_URL=", b"PORTAL_SECRET")
Named = tuple[str, bytes]


class Ending(NamedTuple):
    """`seconds` from the answer to the upload until the verdict; `status` is "refused" for an upload that got a 4xx."""

    name: str
    status: str
    code: str
    seconds: float
    leaks: bool


def main() -> None:
    options = parse()
    files = (
        every(corpus.directed(), options.every),
        every(mutants(options.mutants), options.every),
    )
    heading(f"{len(files[0])} hostile models and {len(files[1])} mutants beside {options.rate:g} predictions a second")
    with Slipway([IRIS]) as server:
        request = Cell(IRIS.name, IRIS, 1).request(server)
        before = neighbours(request, options.rate, QUIET_SECONDS)
        processes = {(process.pid, process.create_time()) for process in server.portal.web_processes()}
        strays = set(_files(server.portal))
        with Beside(request, options.rate) as beside:
            endings = send_all(server.portal, [*files[0], *files[1]], options.senders)
        after = neighbours(request, options.rate, QUIET_SECONDS)
        died = processes - {(process.pid, process.create_time()) for process in server.portal.web_processes()}
        time.sleep(2)
        report(endings, len(died), sorted(set(_files(server.portal)) - strays), before + after, beside.records)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mutants", type=int, default=5_000)
    parser.add_argument("--senders", type=int, default=3, help="uploads at once")
    parser.add_argument("--rate", type=float, default=50.0, help="the neighbours' predictions a second")
    parser.add_argument("--every", type=int, default=1, help="only every n-th file, for a quick look")
    return parser.parse_args()


def every(files: Iterator[Named], step: int) -> list[Named]:
    return list(itertools.islice(files, 0, None, step))


def send_all(portal: Portal, files: list[Named], senders: int) -> list[Ending]:
    """Each sender has a model of its own for each hundred files, so that lists stay short."""
    local = threading.local()
    numbers = itertools.count()

    def send(item: Named) -> Ending:
        if not hasattr(local, "client"):
            local.client, local.left = portal.client(), 0
        if local.left == 0:
            local.model, local.left = f"hostile-{next(numbers)}", 100
            local.client.call("POST", "/api/v1/models", {"name": local.model})
        local.left -= 1
        try:
            return one(local.client, local.model, *item)
        except (OSError, RuntimeError):
            local.client = portal.client()
            raise

    with ThreadPoolExecutor(senders) as pool:
        return list(pool.map(send, files))


def one(client: Client, model: str, name: str, data: bytes) -> Ending:
    path = f"/api/v1/models/{model}/versions"
    try:
        answer = client.send_file(path, {}, iter([data]), len(data), "model.onnx")
    except RuntimeError as refusal:
        text = str(refusal)
        if f"POST {path}: 4" not in text:
            raise
        return Ending(name, "refused", text, 0.0, _leaks(text.encode()))
    began, number = time.monotonic(), answer.json()["number"]
    while True:
        answer = client.call("GET", f"{path}/{number}")
        version, seconds = answer.json(), time.monotonic() - began
        if version["status"] not in ("receiving", "validating") or seconds > 3 * GOAL_SECONDS:
            code = (version["report"] or {}).get("code", "")
            return Ending(name, version["status"], code, seconds, _leaks(answer.body))
        time.sleep(0.1 if seconds < 2 else 0.5)


def _leaks(body: bytes) -> bool:
    return any(secret in body for secret in SECRETS)


def neighbours(request: Request, rate: float, seconds: float) -> list[tuple[float, int]]:
    """(milliseconds, status) of each."""
    order = {"port": request.port, "path": request.paths[0], "headers": request.headers, "body": request.body.decode()}
    line = json.dumps({**order, "rate": rate, "seconds": seconds, "connections": 16})
    command = [sys.executable, str(ROOT / "benchmarks" / "open_loop.py")]
    run = subprocess.run(command, input=line + "\n", stdout=subprocess.PIPE, text=True, check=True)
    return [(took, status) for _at, took, status, _retry in json.loads(run.stdout)["records"]]


class Beside:
    """Neighbours for as long as the block lasts."""

    def __init__(self, request: Request, rate: float) -> None:
        self.records: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(request, rate))

    def _run(self, request: Request, rate: float) -> None:
        while not self._ended.is_set():
            self.records += neighbours(request, rate, 5.0)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()


def _files(portal: Portal) -> Iterator[str]:
    """Of the data folder but for the store's own and what the stores and logs write; and of the temporary folder."""
    data = portal.folder / "data"
    for path in data.rglob("*"):
        with contextlib.suppress(OSError):
            name = path.relative_to(data).as_posix()
            if path.is_file() and not name.startswith(("artifacts/sha256/", "postgres", "valkey", "log", "run/")):
                yield name
    for path in Path(tempfile.gettempdir()).iterdir():
        yield str(path)


def report(
    endings: list[Ending],
    n_died: int,
    strays: list[str],
    quiet: list[tuple[float, int]],
    beside: list[tuple[float, int]],
) -> None:
    found = Counter((ending.status, ending.code[:60] if ending.status != "refused" else "") for ending in endings)
    show(["verdict", "code", "n"], [[status, code, n] for (status, code), n in found.most_common()])
    late = [
        ending for ending in endings if ending.seconds > GOAL_SECONDS or ending.status in ("receiving", "validating")
    ]
    slowest = sorted(endings, key=lambda ending: -ending.seconds)[:5]
    calm, busy = (percentile((took for took, _status in some), 0.99) for some in (quiet, beside))
    print(f"Web processes that died: {n_died} (goal 0)")
    print(
        f"Uploads without a verdict after {GOAL_SECONDS:g} s: {len(late)} (goal 0)", [item.name for item in late][:10]
    )
    print(f"Answers that quote another file: {sum(ending.leaks for ending in endings)} (goal 0)")
    print(f"Files left behind: {len(strays)} (goal 0) {strays[:10]}")
    print(f"Neighbours: p99 {calm:.1f} ms alone, {busy:.1f} ms beside, {busy / calm:.2f} times (goal 2), ", end="")
    print(f"{sum(status != 200 for _took, status in beside)} of {len(beside)} not answered with 200")
    print("Slowest:", ", ".join(f"{ending.name} {ending.seconds:.1f} s" for ending in slowest))


if __name__ == "__main__":
    main()
