"""The embedded Valkey: message broker and cache, on a socket only we may open, with an append-only file."""

from __future__ import annotations

import socket

from portal.local import binaries
from portal.local.child import Spec
from portal.local.paths import Layout


class Valkey:
    name = "valkey"
    variable = "REDIS_URL"

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self.layout = layout
        self.durable = durable
        self.folder = layout.data / "valkey"
        self.socket = layout.private / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def prepare(self) -> Spec:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": "",
        }
        return Spec(
            name=self.name,
            argv=(
                str(binaries.find_valkey()),
                *(word for key, value in options.items() for word in (f"--{key}", value)),
            ),
            log=self.layout.log(self.name),
            folder=self.folder,
        )

    def ready(self, pid: int) -> bool:
        """Answers PING with PONG; while it still reads its file it answers LOADING."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def finish(self) -> None:
        """Nothing to create."""
