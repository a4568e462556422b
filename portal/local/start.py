"""From `python3 manage.py ...` to the right command, inside `.venv`. Standard library only up to `enter()`."""

from __future__ import annotations

import importlib
import os

from portal.local import venv
from portal.local.console import CannotStart, say

_OWN_COMMANDS = {"up": "portal.local.up", "test": "portal.local.testing"}
_USAGE = """\
Usage: python3 manage.py COMMAND [options]

  up      start everything on this machine and stay until Ctrl-C  (--host, --port, --no-demo)
  test    run the test suite; further arguments go to pytest
  doctor  check the installation and say how to mend it

Every other command below works beside a running `up` too.
"""


def main(argv: list[str]) -> int:
    command = argv[1] if len(argv) > 1 else "help"
    try:
        venv.enter(argv, with_tests=command == "test")
        return _run(command, argv)
    except CannotStart as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130


def _run(command: str, argv: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if command in ("help", "--help", "-h") and len(argv) <= 2:
        print(_USAGE, flush=True)
    # Loaded by name and late: these modules need the packages that `enter()` has just made sure of.
    module = importlib.import_module(_OWN_COMMANDS.get(command, "portal.local.commands"))
    return int(module.main(argv))
