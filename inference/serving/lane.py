"""Door one: a small ASGI application for `POST /v2/models/{slug}[/versions/{n}]/infer`, in front of Django.

Django's handler and middleware cost ten times what a small model does, so the busiest route goes around them. Door two,
`inference/api/v2.py`, answers the same route under WSGI; both call the same handler.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from inference.serving.blocking import InThreads
from inference.serving.http import Answer, answer_infer, call_from, error_answer
from portal.lib.errors import PortalError, TooLarge
from portal.lib.request_ids import accept_or_create

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

INFER = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer\Z")


class Disconnected(Exception):
    """The caller went away while it was sending."""


class PredictionLane:
    def __init__(self) -> None:
        self._waiting = InThreads()

    def takes(self, scope: Scope) -> re.Match[str] | None:
        return INFER.match(scope["path"]) if scope["method"] == "POST" else None

    async def __call__(self, match: re.Match[str], scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = accept_or_create(headers.get("x-request-id"))
        try:
            body = await _read_body(headers, receive)
            version = match[2] and unquote(match[2])
            answer = await answer_infer(call_from(match[1], version, headers, body), request_id, self._waiting)
        except PortalError as error:
            answer = error_answer(error, request_id)
        except Disconnected:
            return
        await _send(answer, send)


async def _read_body(headers: dict[str, str], receive: Receive) -> bytes:
    limit = settings.PORTAL_MAX_BODY_BYTES
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    message = await receive()
    if not message.get("more_body"):
        return message.get("body", b"") if message["type"] == "http.request" else _gone()
    parts, size = [], 0
    while True:
        if message["type"] != "http.request":
            _gone()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def _gone() -> bytes:
    raise Disconnected


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than the limit of {limit} bytes: send fewer rows at once.")


async def _send(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
