"""Looks at the web address from outside: is it free, does it answer."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import sys
from dataclasses import dataclass

from portal.local.console import CannotStart

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - recognized, not chosen


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def near(self) -> str:
        """Where this machine itself reaches it."""
        return _EVERYWHERE.get(self.host, self.host)

    @property
    def bind(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{_bracketed(self.near)}:{self.port}"

    @property
    def is_local(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def check_free(address: Address) -> None:
    """Without SO_REUSEPORT, so that a listener that would share the port is noticed too."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OverflowError:
        raise CannotStart(f"{address.port} is not a port: choose one from 1 to 65535.") from None
    except OSError as error:
        raise CannotStart(_why(error, address)) from None


def _why(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        other = address.port + 1 if address.port < 65535 else 8000
        return (
            f"Port {address.port} on {address.host} is in use by another program. "
            f"Choose another one: python3 manage.py up --port {other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {address.port} needs special rights. Choose one above 1023, for example --port 8000."
    return f"Cannot listen on {address.bind}: {error.strerror or error}. Choose another --host."


def is_ready(address: Address) -> bool:
    """Whether `GET /readyz` answers 200."""
    connection = http.client.HTTPConnection(address.near, address.port, timeout=3)
    try:
        connection.request("GET", "/readyz", headers={"Host": _host_header(address), "X-Forwarded-Proto": "https"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _host_header(address: Address) -> str:
    """One that the settings accept: behind a proxy only its name may be allowed."""
    allowed = [name.strip() for name in os.environ.get("PORTAL_ALLOWED_HOSTS", "").split(",") if name.strip()]
    return allowed[0].lstrip(".") if allowed and allowed[0] != "*" else f"{_bracketed(address.near)}:{address.port}"


if __name__ == "__main__":  # a container's health check
    sys.exit(not is_ready(Address("127.0.0.1", 8000)))
