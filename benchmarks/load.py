"""Steady load from a process of its own: keep-alive threads that send one request each at fixed times.

Reads one JSON object from standard input (port, headers, path, body, rate, threads), sends until standard input ends,
and then prints a JSON list with one [begin, end, status, epoch, version] per request. Times are nanoseconds of the
monotonic clock, which all processes of a machine share. Of `bodies`, in place of one body, each request draws one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import sys
import threading
import time
from typing import Any

Record = tuple[int, int, int, int, int]
FAILED = 599  # no answer at all


def send_one(connection: http.client.HTTPConnection, order: dict[str, Any]) -> Record:
    body = random.choice(order["bodies"]) if "bodies" in order else order["body"]
    begin = time.monotonic_ns()
    try:
        connection.request("POST", order["path"], body, order["headers"])
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return begin, time.monotonic_ns(), FAILED, 0, 0
    epoch, version = (int(response.headers.get(name) or 0) for name in ("X-Split-Epoch", "X-Model-Version"))
    return begin, time.monotonic_ns(), response.status, epoch, version


def send_steadily(order: dict[str, Any], first: float, every: float, stop: threading.Event, out: list[Record]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", order["port"], timeout=30)
    due = first
    while not stop.wait(max(0.0, due - time.monotonic())):
        out.append(send_one(connection, order))
        due += every
    connection.close()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    stop, records = threading.Event(), list[Record]()
    every = order["threads"] / order["rate"]
    began = time.monotonic()
    threads = [
        threading.Thread(target=send_steadily, args=(order, began + index / order["rate"], every, stop, records))
        for index in range(order["threads"])
    ]
    for thread in threads:
        thread.start()
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    json.dump(records, sys.stdout)


if __name__ == "__main__":
    main()
