"""Whether this process is about to stop. Its answers then ask callers to take their next request elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_begun = False


def begin() -> None:
    global _begun
    _begun = True


def begun() -> bool:
    return _begun


def closing(send: Send) -> Send:
    """Announces the end of the connection in the answer."""

    async def send_and_announce(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"connection"]
            message = {**message, "headers": [*kept, (b"connection", b"close")]}
        await send(message)

    return send_and_announce
