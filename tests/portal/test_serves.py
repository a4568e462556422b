"""What a process answers that serves predictions only, and how one says that it is about to stop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portal import draining
from portal.asgi import application


def ask(path: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
    scope |= {"query_string": b"", "scheme": "http", "http_version": "1.1", "root_path": ""}
    scope |= {"server": ("localhost", 80), "client": ("127.0.0.1", 1)}
    asyncio.run(application(scope, receive, send))
    return sent


ANSWERS = [
    ("predictions", "/healthz", 200),
    ("predictions", "/v2", 200),
    ("predictions", "/models", 404),
    ("predictions", "/api/v1/models", 404),
    ("pages", "/models", 302),
    ("all", "/models", 302),
]


@pytest.mark.parametrize(("serves", "path", "status"), ANSWERS)
def test_serves__each_group__answers_its_own(db: None, settings: Any, serves: str, path: str, status: int) -> None:
    settings.PORTAL_SERVES = serves
    assert ask(path)[0]["status"] == status


def test_draining__begun__every_answer_announces_the_end(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (b"connection", b"close") not in ask("/healthz")[0]["headers"]
    monkeypatch.setattr(draining, "_begun", True)
    start, *_rest = ask("/healthz")
    assert [value for name, value in start["headers"] if name.lower() == b"connection"] == [b"close"]
