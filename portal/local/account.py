"""Which operating-system account PostgreSQL runs as. It refuses root, so root lends it another one."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from portal.local.console import CannotStart


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def account_for(cluster: Path) -> Account | None:
    """None: run as oneself. A cluster that another user once made is run as that user, a new one as `nobody`."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        found = cluster.stat()
        return Account(found.st_uid, found.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it as. "
            "Start as an ordinary user, or set DATABASE_URL to a PostgreSQL that is running."
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def give(folder: Path, account: Account | None) -> None:
    """Hands a folder over, with what is in it if root owns it (a backup copied back, for example)."""
    if account is None or folder.stat().st_uid == account.uid:
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(parent, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(folder, account.uid, account.gid)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Whether that account may cross every folder on the way down to and including `folder`."""
    if account is None:
        return True
    return all(_may_cross(step.stat(), account) for step in (folder, *folder.parents))


def _may_cross(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def readable_copy(source: Path, target: Path, ignore: tuple[str, ...]) -> None:
    """Copies a tree to where every account may read it, whatever the umask. Complete or absent, also after a kill."""
    if target.exists():
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, ignore=shutil.ignore_patterns(*ignore))
    for parent, _folders, files in os.walk(draft):
        os.chmod(parent, 0o755)  # noqa: S103 - programs, not data
        for name in files:
            path = os.path.join(parent, name)
            os.chmod(path, 0o755 if os.access(path, os.X_OK) else 0o644)
    os.replace(draft, target)
