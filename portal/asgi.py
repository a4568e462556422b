"""What gunicorn serves: the prediction lane, and behind it Django as WSGI in a pool of threads.

Django stays WSGI on purpose: its threads keep their database connections, where under ASGI each request would take a
new thread and with it a new connection.
"""

from __future__ import annotations

import os
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Sets Django up, which what is imported below needs.
django_application = get_wsgi_application()

from inference.serving.follower import follower, stop_follower  # noqa: E402
from inference.serving.lane import PredictionLane, Receive, Scope, Send  # noqa: E402

PAGE_THREADS = 12
# Any: a2wsgi spells out the types of ASGI where the lane is content with mappings.
_django: Any = WSGIMiddleware(cast(Any, django_application), workers=PAGE_THREADS)
_lane = PredictionLane()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        match = _lane.takes(scope)
        await (_lane(match, scope, receive, send) if match else _django(scope, _whole_body(receive), send))
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


def _whole_body(receive: Receive) -> Receive:
    """A body that breaks off must fail in Django, where a2wsgi alone would hand on what came as if that were all."""

    async def receive_or_fail() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("The caller went away while it was sending.")
        return message

    return receive_or_fail


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Any = await receive()
        if message["type"] == "lifespan.startup":
            follower()
            await send({"type": "lifespan.startup.complete"})
        else:
            stop_follower()
            await send({"type": "lifespan.shutdown.complete"})
            return
