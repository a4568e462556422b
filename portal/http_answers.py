"""Head and body of an answer in one write: uvicorn makes two of them, which costs a system call and a packet more."""

from __future__ import annotations

import asyncio

# Beyond this, joining the two would cost more than writing twice.
JOIN_UP_TO_BYTES = 65_536
# Goes out at once: the caller waits for it before sending more.
INTERIM = b"HTTP/1.1 100 "


class JoiningTransport:
    """What one connection's answers are written to. A head waits for its body until the event loop's next turn."""

    __slots__ = ("_head", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            if len(data) > JOIN_UP_TO_BYTES:
                self._transport.write(head)
                self._transport.write(data)
            else:
                self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(INTERIM):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
