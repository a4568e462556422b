"""The embedded PostgreSQL: how it is started, when it answers. Its socket lies in a folder that only we may enter."""

from __future__ import annotations

import signal

import psycopg2

from portal.local import binaries, cluster
from portal.local.account import account_for
from portal.local.child import Spec
from portal.local.paths import Layout, make_private

_DATABASE = "slipway"
# For tests only: a crash of the machine may lose everything.
_CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    name = "postgres"
    variable = "DATABASE_URL"

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self.layout = layout
        self.durable = durable
        self.folder = layout.data / "postgres"
        self.sockets = layout.private / "pg"

    @property
    def url(self) -> str:
        return f"postgresql://{cluster.USER}@/{_DATABASE}?host={self.sockets}"

    def prepare(self) -> Spec:
        """Makes the cluster at the first start. Nobody else may be running it (see `strays`)."""
        account = account_for(self.folder)
        programs = binaries.readable_for(binaries.find_postgres(), account, self.layout.private)
        make_private(self.sockets, 0o700, account)
        cluster.ensure(self.folder, programs, account, self.layout.log(self.name), durable=self.durable)
        # After a crash the process number in these may be another program's by now, or a zombie's, which would stop it.
        for leftover in (self.folder / "postmaster.pid", *self.sockets.glob(".s.*")):
            leftover.unlink(missing_ok=True)
        target = cluster.reach(self.folder, account)
        return Spec(
            name=self.name,
            argv=(str(programs.folder / "postgres"), "-D", target.path, *self._options()),
            log=self.layout.log(self.name),
            account=account,
            pass_fds=target.fds,
            stop_signal=signal.SIGINT,
            stop_seconds=8.0,
            hurry_signal=signal.SIGQUIT,
        )

    def _options(self) -> list[str]:
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            "unix_socket_permissions=0700",
            "max_connections=200",
            "log_timezone=UTC",
            "jit=off",
            *(() if self.durable else _CARELESS),
        ]
        return [word for setting in settings for word in ("-c", setting)]

    def ready(self, pid: int) -> bool:
        """PostgreSQL notes in its pid file when it takes connections: process number in line 1, state in line 8."""
        try:
            lines = (self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def finish(self) -> None:
        """Creates the database unless it is there. The server must be ready."""
        connection = psycopg2.connect(user=cluster.USER, dbname="postgres", host=str(self.sockets))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            connection.close()
