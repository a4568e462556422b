"""Where things lie: the data folder and the short private folder for sockets."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from portal.env import data_dir
from portal.local.account import Account, give
from portal.local.console import CannotStart

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """Everything of one installation. `private` holds sockets only: their paths must stay under 104 characters."""

    data: Path

    @classmethod
    def from_environment(cls) -> Layout:
        return cls(data_dir())

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def private(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:10]
        return Path("/tmp") / f"slipway-{digest}-{os.getuid()}"  # noqa: S108 - `make_private` checks whose it is

    @property
    def lock(self) -> Path:
        return self.run / "up.lock"

    @property
    def stores_file(self) -> Path:
        return self.run / "stores.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Makes the folders. As root the outer ones may be crossed, because PostgreSQL then runs as another user."""
        crossing = 0o711 if os.geteuid() == 0 else 0o700
        try:
            if not self.data.exists():
                self.data.mkdir(parents=True)
                self.data.chmod(crossing)
            for folder in (self.run, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"Cannot write to the data folder {self.data} ({error.strerror}). {_MEND}") from None
        if not os.access(self.run, os.W_OK) or not os.access(self.logs, os.W_OK):
            raise CannotStart(f"The data folder {self.data} belongs to another user. {_MEND}")
        make_private(self.private, crossing)


_MEND = "Start as the user who owns it, or name another one: PORTAL_DATA_DIR=/path python3 manage.py up"


def make_private(folder: Path, mode: int, account: Account | None = None) -> None:
    """A folder in /tmp that is really ours (or that account's): anybody could have made one of that name before."""
    folder.mkdir(mode=mode, exist_ok=True)
    found = folder.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), owner):
        raise CannotStart(f"{folder} belongs to somebody else. Remove it and start again.")
    folder.chmod(mode)
    give(folder, account)
