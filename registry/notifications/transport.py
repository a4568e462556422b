"""One signed POST to an address that was checked before: no redirects, no proxy, ten seconds in all."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.utils.translation import gettext as _

from registry.notifications.addresses import Refused, Target

SECONDS = 10.0
MOST_READ_BYTES = 4096


class PinnedConnection(http.client.HTTPConnection):
    """Connects to one of `addresses`, but asks for `target.host`: in the Host header, in SNI and in the certificate."""

    def __init__(self, target: Target, addresses: list[str], ends_at: float) -> None:
        super().__init__(target.host, target.port)
        self.target, self.addresses, self.ends_at = target, addresses, ends_at
        # Decides whether the Host header names the port.
        self.default_port = 443 if target.scheme == "https" else 80

    def connect(self) -> None:
        self.sock = self._reach()
        if self.target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.target.host)

    def _reach(self) -> socket.socket:
        """The first address that answers; each gets an equal share of the time that is left."""
        failed = OSError()
        for index, address in enumerate(self.addresses):
            share = max(0.1, (self.ends_at - time.monotonic()) / (len(self.addresses) - index))
            try:
                sock = socket.create_connection((address, self.target.port), timeout=share)
            except OSError as error:
                failed = error
            else:
                sock.settimeout(max(0.1, self.ends_at - time.monotonic()))
                return sock
        raise failed

    def cut(self) -> None:
        """Ends the conversation from another thread; below TLS, whose own shutdown is not made for that."""
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@contextmanager
def _deadline(connection: PinnedConnection, seconds: float) -> Iterator[None]:
    """A peer that sends a byte now and then never runs into the socket's own timeout, so a timer ends it."""
    timer = threading.Timer(seconds, connection.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        connection.close()


def post(target: Target, addresses: list[str], body: bytes, headers: dict[str, str], seconds: float = SECONDS) -> int:
    """Returns the answer's status, whatever it is; at most 4 kB of the answer are read. Raises Refused."""
    connection = PinnedConnection(target, addresses, time.monotonic() + seconds)
    try:
        with _deadline(connection, seconds):
            connection.request("POST", target.path, body=body, headers={**headers, "Connection": "close"})
            answer = connection.getresponse()
            if time.monotonic() >= connection.ends_at:
                raise TimeoutError
            with suppress(OSError, http.client.HTTPException):
                answer.read(MOST_READ_BYTES)
            return answer.status
    except ssl.SSLError as error:
        raise Refused(_("TLS failed: %(reason)s.") % {"reason": error.reason or type(error).__name__}) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= connection.ends_at:
            raise Refused(_("No answer within %(n)s seconds.") % {"n": round(seconds)}) from None
        raise Refused(_("The connection failed: %(reason)s.") % {"reason": type(error).__name__}) from None
