"""What gunicorn serves: the prediction lane, and behind it Django as WSGI in a pool of threads.

Django stays WSGI on purpose: its threads keep their database connections, where under ASGI each request would take a
new thread and with it a new connection.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Sets Django up, which what is imported below needs.
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from inference.quarantine.services import record_death  # noqa: E402
from inference.rollouts.watchdog import Watchdog  # noqa: E402
from inference.serving import deaths  # noqa: E402
from inference.serving.lane import PredictionLane, Receive, Scope, Send  # noqa: E402
from inference.serving.process import ServingUnit  # noqa: E402
from portal import draining  # noqa: E402
from portal.reading_ahead import BodyAhead  # noqa: E402

deaths.report_to(record_death)
PAGE_THREADS = 12
READY_SECONDS = 60.0
BODY = "slipway.body"


def _with_body_ahead(environ: dict[str, Any], start_response: Any) -> Any:
    body = environ["wsgi.input"] = environ["asgi.scope"][BODY]
    with body.turn.taken():
        return django_application(environ, start_response)


# Any: a2wsgi spells out the types of ASGI where the lane is content with mappings.
_django: Any = WSGIMiddleware(cast(Any, _with_body_ahead), workers=PAGE_THREADS)
_lane = PredictionLane()
_unit = ServingUnit(_lane)
_watchdog = Watchdog()
# What a process that serves predictions only answers beside them (`PORTAL_SERVES`).
_WITH_PREDICTIONS = ("/v2", "/v1/", "/healthz", "/readyz", "/metrics")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        if draining.begun():
            send = draining.closing(send)
        path = _lane.takes(scope)
        if path is not None:
            await _lane(path, scope, receive, send)
        elif settings.PORTAL_SERVES == "predictions" and not scope["path"].startswith(_WITH_PREDICTIONS):
            await _not_here(send)
        else:
            await _page(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _not_here(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"This process serves predictions only.\n"})


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    body = BodyAhead(receive)
    try:
        await _django({**scope, BODY: body}, receive, send)
    finally:
        body.close()


def _tune_the_interpreter() -> None:
    """What is there now stays for as long as the process: the garbage collector need not look at it again and again.

    All else waits while it looks, so it looks at little at a time: of 20 000 new objects it took ten milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 20)
    # A thread in the background may hold up the event loop for so long, in seconds, before it has to let go.
    sys.setswitchinterval(0.0002)


async def _lifespan(receive: Receive, send: Send) -> None:
    """gunicorn lets no request in before the start is complete: then what is live is loaded, as far as it can be."""
    loop = asyncio.get_running_loop()
    while True:
        message: Any = await receive()
        if message["type"] == "lifespan.startup":
            if settings.PORTAL_SERVES != "pages":
                await loop.run_in_executor(None, _unit.start, READY_SECONDS)
                _watchdog.start()
            _tune_the_interpreter()
            await send({"type": "lifespan.startup.complete"})
        else:
            _watchdog.stop()
            await loop.run_in_executor(None, _unit.stop)
            await send({"type": "lifespan.shutdown.complete"})
            return
