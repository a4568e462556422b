"""Brings database, static files and first content up to date, in one process: `python -m portal.local.prepare`.

Safe to run again and again. Standard output carries nothing but the line with a password that was just made.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from portal.local.console import say

PASSWORD_PREFIX = "first-admin-password: "  # noqa: S105


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    if settings.FILE_UPLOAD_TEMP_DIR:
        Path(settings.FILE_UPLOAD_TEMP_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=1, stdout=sys.stderr)
    _require_seals()
    collect_static()
    _bootstrap(no_demo="--no-demo" in arguments)


def _require_seals() -> None:
    """A new portal does so from its first start, an old one once its versions are sealed."""
    from registry.services.resealing import require_from_now_on  # noqa: PLC0415  Models exist only once Django is set up.

    if not require_from_now_on():
        say("Some versions have no seal. To have them proven and sealed: python3 manage.py seal_versions")


def collect_static() -> None:
    """Skipped while neither a file nor a package has changed since the last time."""
    if static_is_current():
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    _static_stamp().write_text(static_fingerprint(), encoding="ascii")
    say("Static files collected.")


def static_is_current() -> bool:
    stamp = _static_stamp()
    return stamp.exists() and stamp.read_text(encoding="ascii") == static_fingerprint()


def _static_stamp() -> Path:
    return Path(settings.STATIC_ROOT) / ".stamp"


def static_fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = os.stat(storage.path(path))
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _bootstrap(*, no_demo: bool) -> None:
    out = io.StringIO()
    call_command("bootstrap", *(["--no-demo"] if no_demo else []), stdout=out)
    for line in out.getvalue().splitlines():
        if line.startswith(PASSWORD_PREFIX):
            print(line, flush=True)
        else:
            say(line)


if __name__ == "__main__":
    main(sys.argv[1:])
