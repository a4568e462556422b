"""The body of a request for a thread: the event loop reads ahead of it, so that neither waits for the other.

As a2wsgi does it, every piece is asked for across threads, which costs more than the piece itself, and nothing comes
in while the thread hashes and writes.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from portal.turns import Turn

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
# What a caller may be ahead of the thread that reads.
AHEAD_BYTES = 1 << 20


class BodyAhead:
    """A `wsgi.input`. Made and closed in the event loop, read in one other thread."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.turn = Turn()
        self._loop = asyncio.get_running_loop()
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Each is written by one of the two sides only, so neither needs a lock.
        self._n_come = self._n_taken = 0
        self._room = asyncio.Event()
        self._is_full = False
        self._task: asyncio.Task[None] | None = None
        self._begun = self._closed = self._ended = self._broken = False
        self._rest = memoryview(b"")

    def close(self) -> None:
        """The request is over: what nobody has read is left to the server."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    def read(self, size: int = -1) -> bytes:
        """Fewer than `size` bytes only at the end. Raises ConnectionResetError where the caller broke off."""
        found: list[memoryview] = []
        n_missing = size
        while n_missing and (piece := self._next()):
            taken = piece if size < 0 else piece[:n_missing]
            self._rest = piece[len(taken) :]
            n_missing -= len(taken) if size >= 0 else 0
            found.append(taken)
        return b"".join(found)

    def readline(self, size: int = -1) -> bytes:
        """To the end of a line, of `size` bytes, or of the body: what comes first."""
        line = bytearray()
        while size < 0 or len(line) < size:
            piece = self._next()
            end = bytes(piece).find(b"\n") + 1 or len(piece)
            taken = piece[: end if size < 0 else min(end, size - len(line))]
            self._rest = piece[len(taken) :]
            line += taken
            if not taken or line.endswith(b"\n"):
                break
        return bytes(line)

    def readlines(self, hint: int = -1) -> list[bytes]:
        lines: list[bytes] = []
        while (hint <= 0 or sum(map(len, lines)) < hint) and (line := self.readline()):
            lines.append(line)
        return lines

    def __iter__(self) -> BodyAhead:
        return self

    def __next__(self) -> bytes:
        if line := self.readline():
            return line
        raise StopIteration

    def _next(self) -> memoryview:
        """The rest of a piece or a new one; empty at the end."""
        if not self._rest and not self._ended:
            self._take()
        if self._ended and self._broken:
            # A body that breaks off has to fail, where what came of it could be taken for all.
            raise ConnectionResetError("The caller went away while it was sending.")
        return self._rest

    def _take(self) -> None:
        if not self._begun:
            self._begun = True
            self._loop.call_soon_threadsafe(self._start)
        piece = self._soon() if self._pieces.empty() else self._pieces.get()
        self._ended = piece is None
        self._rest = memoryview(piece or b"")
        self._n_taken += len(self._rest)
        if self._is_full and self._n_come - self._n_taken <= AHEAD_BYTES // 2:
            self._is_full = False
            self._loop.call_soon_threadsafe(self._room.set)

    def _soon(self) -> bytes | None:
        with self.turn.aside():
            return self._pieces.get()

    def _start(self) -> None:
        """Not before the first read: who waits for `100 Continue` is told only then to send."""
        if not self._closed:
            self._task = self._loop.create_task(self._read_ahead())

    async def _read_ahead(self) -> None:
        self._broken = True
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
                if piece := message.get("body", b""):
                    self._n_come += len(piece)
                    self._pieces.put(piece)
                if not message.get("more_body", False):
                    self._broken = False
                    break
                await self._wait_for_room()
        finally:
            self._pieces.put(None)

    async def _wait_for_room(self) -> None:
        self._room.clear()
        self._is_full = True
        # Asked again after the word was given: the thread may have taken something just before.
        if self._n_come - self._n_taken > AHEAD_BYTES:
            await self._room.wait()
        self._is_full = False
