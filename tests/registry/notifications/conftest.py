"""A receiver that really listens, on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import Any, NamedTuple

import pytest
from django.db import connection

from registry.access.principal import SYSTEM
from registry.models import Project, Webhook
from registry.notifications.webhooks import create_webhook
from tests import factories


class Got(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(HTTPServer):
    """Answers with `status` and `extra` headers, and keeps what it got."""

    status = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[Got] = []
        self.extra: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=hidden"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append(Got(self.path, dict(self.headers), body))
        self.send_response(server.status)
        for name, value in server.extra.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def local_allowed(settings: Any) -> None:
    settings.PORTAL_WEBHOOK_ALLOW_PRIVATE = [ip_network("127.0.0.1/32")]


@pytest.fixture
def project(db: None) -> Project:
    return factories.make_project()


@pytest.fixture
def hook(project: Project, receiver: Receiver, local_allowed: None) -> tuple[Webhook, str]:
    """A webhook to the receiver, and its secret."""
    return create_webhook(SYSTEM, project, url=receiver.url)


@pytest.fixture
def second_connection() -> Iterator[Any]:
    """Another connection to the same database, as another worker has it."""
    other = connection.copy()
    yield other
    other.close()
