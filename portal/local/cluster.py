"""PostgreSQL's files: made once, handed to the right account, checked against the program's version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from portal.local.account import Account, can_enter, give
from portal.local.binaries import PostgresPrograms
from portal.local.console import CannotStart, tail

USER = "slipway"


@dataclass(frozen=True)
class Reach:
    """How a process of another account can name a folder, and the open files that it needs for that."""

    path: str
    fds: tuple[int, ...] = ()


def reach(folder: Path, account: Account | None) -> Reach:
    """Under a closed home (root's is 0700) the account can't walk to the folder by path, so the process is handed the
    open folder. It stays open here for restarts."""
    if can_enter(folder, account):
        return Reach(str(folder))
    if not Path("/proc/self/fd").exists():
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user it runs as instead may not enter {folder}. "
            "Choose another data folder, for example PORTAL_DATA_DIR=/var/lib/slipway."
        )
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return Reach(f"/proc/self/fd/{handle}", (handle,))


def ensure(cluster: Path, programs: PostgresPrograms, account: Account | None, log: Path, *, durable: bool) -> None:
    if not (cluster / "PG_VERSION").exists():
        _make(cluster, programs, account, log, durable=durable)
    made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != str(programs.major):
        raise CannotStart(
            f"The data in {cluster} was made by PostgreSQL {made_by}, but this is PostgreSQL {programs.major}. "
            f"Use version {made_by}, or move the data with pg_dump and pg_restore."
        )
    give(cluster, account)


def _make(cluster: Path, programs: PostgresPrograms, account: Account | None, log: Path, *, durable: bool) -> None:
    """Made beside its place and then moved there, so that an interruption leaves nothing half-made."""
    draft = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, account)
    target = reach(draft, account)
    options = ("-U", USER, "-E", "UTF8", *_locale(programs), "--auth=trust", *(() if durable else ("--no-sync",)))
    with open(log, "ab") as out:
        status = subprocess.call(
            [str(programs.folder / "initdb"), "-D", target.path, *options],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=target.fds,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    if status:
        raise CannotStart(f"PostgreSQL could not make its files. The end of {log}:\n\n{tail(log)}")
    if cluster.exists():
        cluster.rmdir()
    os.replace(draft, cluster)


def _locale(programs: PostgresPrograms) -> tuple[str, ...]:
    """Sorts by code point, yet knows the upper and lower case of every script. It must not depend on the machine."""
    if programs.major >= 17:
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ("--locale=C", "--lc-ctype=C.UTF-8") if sys.platform == "linux" else ("--locale=C",)
