"""Bodies that the event loop reads ahead of a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from portal.reading_ahead import AHEAD_BYTES, BodyAhead

GONE = {"type": "http.disconnect"}


class Sender:
    """Hands out messages one after the other, then stays silent. `n_asked` counts how often it was asked."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.n_asked = 0

    async def receive(self) -> dict[str, Any]:
        self.n_asked += 1
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


def pieces(*bodies: bytes) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, start=1)
    ]


def read(sender: Sender, act: Callable[[BodyAhead], object]) -> Any:
    """What `act` gives, done in a thread."""

    async def request() -> object:
        body = BodyAhead(sender.receive)
        try:
            return await asyncio.wait_for(asyncio.to_thread(act, body), 20)
        finally:
            body.close()

    return asyncio.run(request())


def test_read__pieces_of_any_size__as_many_bytes_as_asked() -> None:
    sender = Sender(*pieces(b"abc", b"", b"defgh", b"ij"))
    found = read(
        sender, lambda body: [body.read(4), body.read(0), body.read(2), body.read(100), body.read(5), body.read()]
    )
    assert found == [b"abcd", b"", b"ef", b"ghij", b"", b""]


def test_read__no_size__all() -> None:
    assert read(Sender(*pieces(b"abc", b"def")), lambda body: body.read()) == b"abcdef"
    assert read(Sender(*pieces(b"")), lambda body: body.read()) == b""


def test_readline__over_pieces__line_for_line() -> None:
    sender = Sender(*pieces(b"one\ntw", b"o\nthr", b"ee"))
    assert read(sender, lambda body: [body.readline(), body.readline(1), *body.readlines()]) == [
        b"one\n",
        b"t",
        b"wo\n",
        b"three",
    ]
    assert read(Sender(*pieces(b"a\nb\n")), list) == [b"a\n", b"b\n"]


def test_read__caller_breaks_off__fails_every_time_and_never_ends_as_if_whole() -> None:
    def twice(body: BodyAhead) -> bytes:
        found = body.read(3)
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                body.read(3)
        return found

    begun = [{"type": "http.request", "body": b"abcd", "more_body": True}]
    assert read(Sender(*begun, GONE), twice) == b"abc"


def test_read__nobody_asks__caller_is_not_asked_either() -> None:
    sender = Sender(*pieces(b"abc"))
    assert read(sender, lambda _body: "done") == "done"
    assert sender.n_asked == 0


def test_read__slow_reader__only_so_much_is_held() -> None:
    piece = bytes(AHEAD_BYTES // 4)
    sender = Sender(*pieces(*[piece] * 40))
    held = []

    def slowly(body: BodyAhead) -> int:
        size = 0
        while found := body.read(len(piece)):
            size += len(found)
            held.append(sender.n_asked * len(piece) - size)
        return size

    assert read(sender, slowly) == 40 * len(piece)
    assert max(held) <= AHEAD_BYTES + 2 * len(piece)


def test_close__reader_still_waits__fails() -> None:
    sender = Sender({"type": "http.request", "body": b"abc", "more_body": True})

    async def request() -> None:
        body = BodyAhead(sender.receive)
        reading = asyncio.create_task(asyncio.to_thread(body.read, 10))
        while sender.n_asked < 2:
            await asyncio.sleep(0.001)
        body.close()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reading, 20)

    asyncio.run(request())
