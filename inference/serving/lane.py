"""Door one: a small ASGI application for the URLs that predict, in front of Django.

Django's handler and middleware cost ten times what a small model does, so the busiest routes go around them. Door two,
`inference/api/predict.py`, answers the same routes under WSGI; both call the same handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from django.conf import settings

from inference.serving.blocking import CallerGone, InThreads
from inference.serving.bodies import BodyBudget
from inference.serving.http import Answer, answer_infer, call_from, error_answer
from inference.serving.paths import PredictionPath, prediction_path
from portal.lib.errors import PortalError, TooLarge
from portal.lib.request_ids import accept_or_create, new_request_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class PredictionLane:
    def __init__(self) -> None:
        self._waiting = InThreads()
        self._max_body = settings.PORTAL_MAX_BODY_BYTES
        self._budget = BodyBudget(settings.PORTAL_MAX_BODIES_BYTES)
        self.n_in_flight = 0

    def takes(self, scope: Scope) -> PredictionPath | None:
        return prediction_path(scope["path"]) if scope["method"] == "POST" else None

    async def __call__(self, path: PredictionPath, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        named = headers.get(b"x-request-id")
        request_id = accept_or_create(named.decode("latin-1")) if named else new_request_id()
        self.n_in_flight += 1
        try:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                answer = await self._answer(path, headers, message.get("body", b""), request_id, receive)
            else:
                with self._budget.reader() as reader:
                    body = await self._read_body(headers, message, receive, reader.add)
                    answer = await self._answer(path, headers, body, request_id, receive)
        except PortalError as error:
            answer = error_answer(error, request_id)
        except CallerGone:
            return
        finally:
            self.n_in_flight -= 1
        await _send(answer, send)

    async def _answer(
        self, path: PredictionPath, headers: dict[bytes, bytes], body: bytes, request_id: str, receive: Receive
    ) -> Answer:
        if len(body) > self._max_body:
            raise _too_large(self._max_body)
        call = call_from(path, headers, body)
        return await answer_infer(call, request_id, _WhileConnected(self._waiting, receive))

    async def _read_body(
        self,
        headers: dict[bytes, bytes],
        message: MutableMapping[str, Any],
        receive: Receive,
        add: Callable[[int], None],
    ) -> bytes:
        """The rest of a body that came in pieces. `add` is told each one's size and may refuse."""
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._max_body:
            raise _too_large(self._max_body)
        parts, size = [], 0
        while True:
            if message["type"] != "http.request":
                raise CallerGone
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > self._max_body:
                raise _too_large(self._max_body)
            add(len(part))
            if not message.get("more_body"):
                return b"".join(parts)
            message = await receive()


class _WhileConnected:
    """Gives up what waits for a thread as soon as its caller has gone away. Answers at once need no such watch."""

    __slots__ = ("_receive", "_waiting", "ask", "load")

    def __init__(self, waiting: InThreads, receive: Receive) -> None:
        self._waiting = waiting
        self._receive = receive
        self.ask = waiting.ask
        self.load = waiting.load

    async def compute(self, make_job: Any) -> Any:
        result = asyncio.ensure_future(self._waiting.compute(make_job))
        gone = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((result, gone), return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
            raise CallerGone
        finally:
            # Awaited too, so that what waited for a thread is gone when this returns.
            for task in (gone, result):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than the limit of {limit} bytes: send fewer rows at once.")


async def _send(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
