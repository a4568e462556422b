"""Bounds on what a caller may send before a request has begun: uvicorn leaves that to a proxy in front."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from portal.http_answers import JoiningTransport

MAX_TARGET_BYTES = 8_190
MAX_HEADER_BYTES = 65_536
MAX_HEADERS = 100
# Request line and headers as they come, line ends and all: what has not ended by then is not worth waiting for.
MAX_RAW_BYTES = 131_072
# A request has to be there, headers and all, so soon after its first byte; a first one so soon after the connection.
HEADER_SECONDS = 30.0
_ANSWER = b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TARGET_TOO_LONG = _ANSWER % b"414 URI Too Long"
HEADERS_TOO_LARGE = _ANSWER % b"431 Request Header Fields Too Large"


class BoundedHttpProtocol(HttpToolsProtocol):
    _in_headers = True
    _raw_bytes = 0
    _header_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)
        self._answers = JoiningTransport(self.transport, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_headers:
            if self._timer is not None:
                self._stop_timer()
            return
        self._raw_bytes += len(data)
        if self._raw_bytes > MAX_RAW_BYTES:
            self._refuse(HEADERS_TOO_LARGE)
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        self._in_headers = True
        self._raw_bytes = self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._refuse(TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES or len(self.headers) >= MAX_HEADERS:
            self._refuse(HEADERS_TOO_LARGE)
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        if self.transport.is_closing():
            # What was refused has no request that a body could belong to.
            self.cycle = _Refused()  # type: ignore[assignment]
        else:
            super().on_headers_complete()
            self.cycle.transport = self._answers  # type: ignore[assignment]

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Refused:
    """In place of a request: its body is read over."""

    response_complete = True
    disconnected = False

    def __init__(self) -> None:
        self.message_event = asyncio.Event()
