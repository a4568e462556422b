"""The HTTP server itself, spoken to over a bare socket: framing that two servers might read differently is refused."""

from __future__ import annotations

import re
import socket

import pytest

from tests.flows.portal import Portal

HEAD = "POST /v2/models/none/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
GET = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"


def talk(portal: Portal, text: str, piece: int = 0) -> tuple[list[int], bool]:
    """The statuses of the answers, and whether the server closed the connection."""
    content, answers = text.encode("latin-1"), b""
    with socket.create_connection(("127.0.0.1", portal.port)) as connection:
        connection.settimeout(1.0)
        try:
            for begin in range(0, len(content), piece or len(content)):
                connection.sendall(content[begin : begin + (piece or len(content))])
            while part := connection.recv(65_536):
                answers += part
        except TimeoutError:
            return _statuses(answers), False
        except OSError:
            pass
    return _statuses(answers), True


def _statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


REFUSED = {
    "two lengths": HEAD + "Content-Length: 2\r\nContent-Length: 5\r\n\r\nhi",
    "a length with a sign": HEAD + "Content-Length: +2\r\n\r\nhi",
    "a length beyond 64 bits": HEAD + "Content-Length: 99999999999999999999999\r\n\r\nhi",
    "length and chunks": HEAD + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "unknown coding": HEAD + "Transfer-Encoding: xchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "space before the colon": HEAD + "Transfer-Encoding : chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "folded header": HEAD + "X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "bare line feeds": HEAD.replace("\r\n", "\n") + "Content-Length: 2\n\nhi",
    "bare carriage return": HEAD + "X: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "NUL in a header": HEAD + "X: a\0b\r\nContent-Length: 2\r\n\r\nhi",
    "header without a colon": HEAD + "Xy\r\nContent-Length: 2\r\n\r\nhi",
    "chunk beyond 64 bits": CHUNKED + "10000000000000002\r\nhi\r\n0\r\n\r\n",
    "negative chunk": CHUNKED + "-2\r\nhi\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + "2\r\nhiXX0\r\n\r\n",
    "not HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01",
}


@pytest.mark.parametrize("name", REFUSED)
def test_framing__ambiguous_or_wrong__400_and_closed(portal: Portal, name: str) -> None:
    statuses, closed = talk(portal, REFUSED[name])
    assert (set(statuses[-1:]) <= {400}, closed) == (True, True)


def test_pipelined__two_requests_at_once__two_answers_in_order(portal: Portal) -> None:
    body = "Content-Length: 2\r\n\r\n{}"
    assert talk(portal, f"{HEAD}{body}{GET}\r\n") == ([401, 200], False)
    assert talk(portal, f"{CHUNKED}2\r\n{{}}\r\n0\r\n\r\n{GET}\r\n", piece=7) == ([401, 200], False)


def test_expect__continue__asked_for_and_answered(portal: Portal) -> None:
    assert talk(portal, HEAD + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}") == ([100, 401], False)


@pytest.mark.parametrize("piece", [0, 4_000])
@pytest.mark.parametrize(
    ("text", "status"),
    [
        (GET.replace("/healthz", "/" + "a" * 9_000) + "\r\n", 414),
        (GET + "".join(f"X-{number}: a\r\n" for number in range(150)) + "\r\n", 431),
        (GET + "X: " + "a" * 80_000 + "\r\n\r\n", 431),
        (GET + "X: " + "a" * 200_000, 431),
        (HEAD + "X: " + "a" * 80_000 + "\r\nContent-Length: 5\r\n\r\nhello", 431),
    ],
    ids=["long target", "many headers", "long header", "header without end", "long header and a body"],
)
def test_head__too_large__refused_and_closed(portal: Portal, text: str, status: int, piece: int) -> None:
    statuses, closed = talk(portal, text, piece)
    assert statuses in ([status], [])  # [] where the answer met a reset, as more was on its way
    assert closed
    assert talk(portal, GET + "\r\n") == ([200], False)


def test_head__as_large_as_permitted__answered(portal: Portal) -> None:
    assert talk(portal, GET + "X: " + "a" * 60_000 + "\r\n\r\n", piece=1_000) == ([200], False)
