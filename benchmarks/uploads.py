"""Uploads a large file in one form and in parts, beside `cp` of the same file and an MLflow server's own upload.

    python3 benchmarks/uploads.py [--megabytes 1000] [--rounds 3] [--at-once 3] [--mlflow http://127.0.0.1:5000]

The file holds random bytes, so it takes the whole way to the disk. Every way counts until the file is on disk or the
server says that it has it: `cp` with an fsync, the form until its version is registered, the parts until `complete` has
proven the whole. Processor seconds are those of the server's processes: they say more than the rates where others
use the machine too. MLflow is a running server with `--serve-artifacts`, for example:

    mlflow server --port 5000 --serve-artifacts --artifacts-destination FOLDER --backend-store-uri sqlite:///FOLDER/db

The ways take turns in each round. Needs room for five times the file.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import contextlib
import hashlib
import http.client
import mmap
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from harness import Portal
from table import heading, median, show
from transfer import BLOCK, NOT_A_MODEL, Meter, blocks, copy, upload, write_random

# What it does to the timed piece is done within the meter; and the processes that do the work.
Way = tuple[Callable[[Meter], None], Callable[[], list[psutil.Process]]]


def main() -> None:
    options = parse()
    heading(f"Upload of {options.megabytes} MB: one form, parts, cp and MLflow")
    os.environ["TMPDIR"] = tempfile.tempdir = options.folder
    with tempfile.TemporaryDirectory(prefix="slipway-benchmark-") as folder, Portal(demo=False) as portal:
        source = Path(folder) / "random.bin"
        write_random(source, options.megabytes)
        upload(
            portal.client(), lambda: iter([NOT_A_MODEL]), len(NOT_A_MODEL), Meter([])
        )  # the first request loads code
        in_parts(portal, source, 1, Meter([]))
        show_ways(options, ways(options, portal, source), portal.folder / "data" / "artifacts" / "sha256")


def ways(options: argparse.Namespace, portal: Portal, source: Path) -> dict[str, Way]:
    size, web, own = source.stat().st_size, portal.web_processes, f"http://127.0.0.1:{portal.port}"
    found: dict[str, Way] = {
        "cp and fsync": (lambda meter: copy(source, meter), list),
        "one form": (lambda meter: upload(portal.client(), lambda: blocks(source), size, meter), web),
        "parts, one at a time": (lambda meter: in_parts(portal, source, 1, meter), web),
        f"parts, {options.at_once} at a time": (lambda meter: in_parts(portal, source, options.at_once, meter), web),
        "our MLflow door": (lambda meter: to_mlflow(own, source, meter, portal.token), web),
    }
    if options.mlflow:
        theirs = lambda meter: to_mlflow(options.mlflow, source, meter)  # noqa: E731
        theirs(Meter([]))  # the first request loads code
        found["MLflow's server"] = (theirs, lambda: listeners(options.mlflow))
    return found


def show_ways(options: argparse.Namespace, ways: dict[str, Way], stored: Path) -> None:
    meters: dict[str, list[Meter]] = {name: [] for name in ways}
    for _round in range(options.rounds):
        for name, (send, processes) in ways.items():
            forget(stored)
            meters[name].append(Meter(processes()))
            send(meters[name][-1])
    rate = {name: median(options.megabytes / meter.seconds for meter in found) for name, found in meters.items()}
    rows = [
        [name, rate[name], rate[name] / rate["cp and fsync"], *of_server(options.megabytes, found)]
        for name, found in meters.items()
    ]
    show(["", "MB/s", "of cp", "processor s per GB", "server memory grew by, MB"], rows)


def of_server(megabytes: int, meters: list[Meter]) -> tuple[float | None, float | None]:
    if not meters[0].processes:
        return None, None
    busy = median(meter.busy_seconds for meter in meters)
    return busy / megabytes * 1000, max(meter.bytes for meter in meters) / 1e6


def forget(stored: Path) -> None:
    """Bytes that the store has already it would compare, where a new file's are moved there."""
    for path in stored.glob("*/*"):
        path.unlink()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the file, in millions of bytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=3, help="parts that are under way at the same time")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where file, copy and data folder lie")
    parser.add_argument("--mlflow", default="", help="address of a running MLflow server, to measure it too")
    return parser.parse_args()


def in_parts(portal: Portal, source: Path, at_once: int, meter: Meter) -> None:
    """Until the whole is proven and in the store. Each part is hashed here as well, as a caller does."""
    client = portal.client()
    with meter:
        made = client.call("POST", "/api/v1/uploads", {"size": source.stat().st_size}).json()
        path, part_size = f"/api/v1/uploads/{made['id']}", made["part_size"]
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda n: send_part(portal, source, path, n, part_size), range(1, made["n_parts"] + 1)))
        client.call("POST", f"{path}/complete", {})
    client.call("DELETE", path)


def send_part(portal: Portal, source: Path, path: str, number: int, part_size: int) -> None:
    client = portal.client()
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as whole:
        with memoryview(whole)[(number - 1) * part_size : number * part_size] as body:
            headers = {**client.headers, "X-Content-SHA256": hashlib.sha256(body).hexdigest()}
            client.connection.request("PUT", f"{path}/parts/{number}", body, headers)
        client.answer(f"PUT part {number}")
    client.connection.close()


def to_mlflow(address: str, source: Path, meter: Meter, token: str = "") -> None:
    """Until the artifact proxy has answered a PUT of the file, as MLflow's own client sends it."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=600)
    path = "/api/2.0/mlflow-artifacts/artifacts/slipway-benchmark/random.bin"
    headers = {"Content-Length": str(source.stat().st_size), "Content-Type": "application/octet-stream"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    with meter, source.open("rb", buffering=BLOCK) as file:
        connection.request("PUT", path, file, headers)
        answer = connection.getresponse()
        answer.read()
    if answer.status >= 400:
        raise SystemExit(f"{address} answered {answer.status}.")


def listeners(address: str) -> list[psutil.Process]:
    """The server's processes: all that share the socket which listens on its port (Linux)."""
    port = urlsplit(address).port
    found = [
        one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.laddr.port == port
    ]
    sockets = {os.readlink(f"/proc/{one.pid}/fd/{one.fd}") for one in found}
    return [process for process in psutil.process_iter() if sockets & opened(process.pid)]


def opened(pid: int) -> set[str]:
    targets = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                targets.add(os.readlink(descriptor))
    return targets


if __name__ == "__main__":
    main()
