"""The web process under gunicorn: uvicorn's ASGI server, which drains before it stops.

gunicorn starts, watches and replaces the processes. Its own `asgi` worker parses HTTP in Python, which costs twice as
much per request as uvicorn with httptools; gunicorn's optional C parser of the installable release accepts framing that
it should not. See docs/benchmarks.md.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from portal import draining
from portal.http_limits import BoundedHttpProtocol

DRAIN_SECONDS = 1.0


class DrainingServer(Server):
    """As it comes, the server closes idle connections at once when it is told to stop, and a caller who sends the next
    request at that moment loses it. Here every answer says `Connection: close` for a second first, so that callers
    take their next request elsewhere."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not draining.begun():
            draining.begin()
            timer = threading.Timer(DRAIN_SECONDS, super().handle_exit, (sig, None))
            timer.daemon = True
            timer.start()
        else:
            super().handle_exit(sig, frame)


class DrainingWorker(UvicornWorker):
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": BoundedHttpProtocol,
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        # Headers of a proxy are Django's to believe or not.
        "proxy_headers": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config: Config = self.config
        # What gunicorn's master gives the process in all is shared between draining and what comes after it.
        config.timeout_graceful_shutdown = max(1, self.cfg.graceful_timeout - 2)

    async def _serve(self) -> None:
        """As the parent's, with our server."""
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
