from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from portal.local.console import CannotStart
from portal.local.probe import Address, check_free, is_ready


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        expected = self.path == "/readyz" and self.headers["Host"] == self.server.expected_host  # type: ignore[attr-defined]
        self.send_response(200 if expected else 400)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.expected_host = f"127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_check_free__somebody_listens__names_another_port(server: http.server.HTTPServer) -> None:
    with pytest.raises(CannotStart) as refused:
        check_free(Address("127.0.0.1", server.server_port))
    assert str(refused.value) == (
        f"Port {server.server_port} on 127.0.0.1 is in use by another program. "
        f"Choose another one: python3 manage.py up --port {server.server_port + 1}"
    )


def test_check_free__listener_that_would_share_the_port__is_noticed() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(CannotStart, match="is in use by another program"):
            check_free(Address("127.0.0.1", listener.getsockname()[1]))


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [("127.0.0.1", 70000, "70000 is not a port"), ("no-such-host.invalid", 8000, "Choose another --host")],
)
def test_check_free__nonsense__is_said_plainly(host: str, port: int, message: str) -> None:
    with pytest.raises(CannotStart, match=message):
        check_free(Address(host, port))


def test_is_ready__answers_200__is_ready(server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_ALLOWED_HOSTS", raising=False)
    assert is_ready(Address("127.0.0.1", server.server_port))


def test_is_ready__only_an_outer_name_is_allowed__asks_under_it(
    server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.expected_host = "portal.example.org"  # type: ignore[attr-defined]
    monkeypatch.setenv("PORTAL_ALLOWED_HOSTS", "portal.example.org,other.example.org")
    assert is_ready(Address("127.0.0.1", server.server_port))


def test_is_ready__answers_400_or_nothing__is_not(server: http.server.HTTPServer) -> None:
    server.expected_host = "else"  # type: ignore[attr-defined]
    assert not is_ready(Address("127.0.0.1", server.server_port))
    assert not is_ready(Address("127.0.0.1", 1))


@pytest.mark.parametrize(
    ("host", "bind", "url"),
    [
        ("127.0.0.1", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("::1", "[::1]:8000", "http://[::1]:8000"),
        ("::", "[::]:8000", "http://[::1]:8000"),
    ],
)
def test_address__host__binds_there_and_is_reached_from_here(host: str, bind: str, url: str) -> None:
    address = Address(host, 8000)
    assert (address.bind, address.url) == (bind, url)
