"""Requests at a fixed rate whatever the server does, from a process of its own: what a crowd is like.

Reads one JSON object from standard input (port, path, headers, body, rate, seconds, connections) and prints one: `held`
counts requests that were never sent because all connections were busy, `records` has one [second since the beginning at
which it was over, milliseconds it took, status, has Retry-After] per request that was. Status 0 is a broken connection
or no answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
PATIENCE_SECONDS = 15.0
Record = tuple[float, float, int, bool]


class Crowd:
    """Its connections, and what has become of its requests."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order, self.request = order, request_of(order)
        self.free: list[Connection] = []
        self.busy: set[Connection] = set()
        self.opening: set[asyncio.Task[Any]] = set()
        self.records: list[Record] = []
        self.held = 0
        self.began = time.monotonic()

    async def run(self) -> dict[str, Any]:
        await asyncio.gather(*(self._open() for _ in range(self.order["connections"])))
        self.began, n = time.monotonic(), 0
        while (now := time.monotonic() - self.began) < self.order["seconds"]:
            while n / self.order["rate"] <= now:
                n += 1
                self._send_one()
            await asyncio.sleep(max(0.0, n / self.order["rate"] - (time.monotonic() - self.began)))
        end = time.monotonic() + PATIENCE_SECONDS
        while self.busy and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for connection in list(self.busy):
            connection.note(0)
        return {"held": self.held, "records": self.records}

    def _send_one(self) -> None:
        if self.free:
            self.free.pop().send(self.request)
        else:
            self.held += 1

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.order["port"])

    def replace(self) -> None:
        task = asyncio.ensure_future(self._open())
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.begun, self.seen = crowd, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.crowd.free.append(self)

    def send(self, request: bytes) -> None:
        self.begun, self.seen = time.monotonic(), b""
        self.crowd.busy.add(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        head, blank, body = self.seen.partition(b"\r\n\r\n")
        length = LENGTH.search(head) if blank else None
        if length and len(body) >= int(length[1]):
            self.note(int(head[9:12]), b"retry-after:" in head.lower())
            self.crowd.free.append(self)

    def note(self, status: int, retry_after: bool = False) -> None:
        now = time.monotonic()
        self.crowd.records.append((now - self.crowd.began, 1e3 * (now - self.begun), status, retry_after))
        self.crowd.busy.discard(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.crowd.busy:
            self.note(0)
        if self in self.crowd.free:
            self.crowd.free.remove(self)
        self.crowd.replace()


def request_of(order: dict[str, Any]) -> bytes:
    body = order["body"].encode()
    fields = {**order["headers"], "Host": "127.0.0.1", "Content-Length": str(len(body))}
    lines = [f"POST {order['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


if __name__ == "__main__":

    async def main() -> dict[str, Any]:
        return await Crowd(json.loads(sys.stdin.readline())).run()

    json.dump(asyncio.run(main()), sys.stdout)
