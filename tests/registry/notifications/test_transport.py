"""One POST over real sockets: pinned, bounded, verified."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.notifications.addresses import Refused, Target
from registry.notifications.transport import post
from tests.registry.notifications.certificates import certificate_for

HERE = ["127.0.0.1"]


@pytest.fixture
def listen() -> Iterator[Callable[..., int]]:
    """Starts a server that does with each connection what it is told; returns its port."""
    sockets = []

    def start(talk: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            try:
                while True:
                    peer, _address = server.accept()
                    with peer:
                        talk(peer)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in sockets:
        server.close()


def request_of(peer: socket.socket) -> bytes:
    """All of it: who closes with bytes unread resets the connection. Each request here has the body `{}`."""
    got = b""
    while not got.endswith(b"\r\n\r\n{}"):
        got += peer.recv(65536)
    return got


def answer(text: bytes) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(text)

    return talk


def test_post__name_that_resolves_to_nothing__goes_to_the_pinned_address_under_that_name(
    listen: Callable[..., int],
) -> None:
    seen = []

    def talk(peer: socket.socket) -> None:
        seen.append(request_of(peer))
        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    port = listen(talk)
    target = Target("http", "hooks.invalid", port, "/a?b=c")
    assert post(target, HERE, b"{}", {"X-Slipway-Event": "e"}) == 204
    head = seen[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[0] == "POST /a?b=c HTTP/1.1"
    assert {f"Host: hooks.invalid:{port}", "X-Slipway-Event: e", "Connection: close"} <= set(head)


def test_post__first_address_is_dead__the_next_is_taken(listen: Callable[..., int]) -> None:
    port = listen(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    assert post(Target("http", "h", port, "/"), ["127.0.0.2", "127.0.0.1"], b"{}", {}) == 200


def test_post__redirect__its_status_and_nothing_followed(listen: Callable[..., int]) -> None:
    port = listen(answer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"))
    assert post(Target("http", "h", port, "/"), HERE, b"{}", {}) == 302


def test_post__endless_answer__only_its_beginning_is_read(listen: Callable[..., int]) -> None:
    def talk(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(b"x" * 65536)

    assert post(Target("http", "h", listen(talk), "/"), HERE, b"{}", {}) == 200


def test_post__answer_that_drips__ends_at_the_deadline(listen: Callable[..., int]) -> None:
    def talk(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            peer.sendall(b"x")
            time.sleep(0.05)

    with pytest.raises(Refused, match="No answer within 1 seconds"):
        post(Target("http", "h", listen(talk), "/"), HERE, b"{}", {}, seconds=0.6)


def test_post__silence__ends_at_the_deadline(listen: Callable[..., int]) -> None:
    release = threading.Event()
    port = listen(lambda _peer: release.wait(10) and None)
    with pytest.raises(Refused, match="No answer within"):
        post(Target("http", "h", port, "/"), HERE, b"{}", {}, seconds=0.3)
    release.set()


@pytest.mark.parametrize("text", [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_post__no_http__refused_with_the_kind_of_fault_only(listen: Callable[..., int], text: bytes) -> None:
    with pytest.raises(Refused, match="The connection failed"):
        post(Target("http", "h", listen(answer(text)), "/?key=hidden"), HERE, b"{}", {})


def test_post__nobody_listens__refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Refused, match="ConnectionRefusedError"):
        post(Target("http", "h", port, "/"), HERE, b"{}", {})


@pytest.fixture
def tls(listen: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A TLS server for `hooks.invalid`, whose certificate this process trusts."""
    path = certificate_for("hooks.invalid", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def talk(peer: socket.socket) -> None:
        try:
            with context.wrap_socket(peer, server_side=True) as secured:
                answer(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")(secured)
        except ssl.SSLError:
            return  # The caller did not like the certificate.

    return listen(talk)


def test_post__tls__the_name_is_verified_at_the_pinned_address(tls: int) -> None:
    assert post(Target("https", "hooks.invalid", tls, "/"), HERE, b"{}", {}) == 202


def test_post__tls_for_another_name__refused(tls: int) -> None:
    with pytest.raises(Refused, match="CERTIFICATE_VERIFY_FAILED"):
        post(Target("https", "other.invalid", tls, "/"), HERE, b"{}", {})
