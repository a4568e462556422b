"""Makes `.venv` once, keeps it in step with the requirement files and continues inside it. Standard library only.

A stamp (requirements' hash and Python version) says that an install was finished; a marker says that one was begun. A
marker without its end means an interrupted install: the environment is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from portal.local import pip
from portal.local.console import CannotStart, say

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
_BEGUN = VENV / ".installing"
_CONFIG = VENV / "pyvenv.cfg"


def enter(argv: list[str], *, with_tests: bool) -> None:
    """Returns inside an environment that has what is needed; where it isn't in it yet, the process is replaced."""
    if os.environ.get("PORTAL_SKIP_VENV") == "1":
        return
    files = [ROOT / "requirements.txt", *([ROOT / "requirements-test.txt"] if with_tests else [])]
    if not _complete(files):
        _set_up(files)
    _hold()
    if Path(sys.prefix).resolve() != VENV.resolve():
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "VIRTUAL_ENV")}
        os.execve(PYTHON, [str(PYTHON), str(ROOT / "manage.py"), *argv[1:]], environment)  # noqa: S606


def _stamp(requirements: Path) -> Path:
    return VENV / f".{requirements.stem}.stamp"


def _fingerprint(requirements: Path) -> str:
    return f"{VERSION} {hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"


def _up_to_date(requirements: Path) -> bool:
    try:
        return _stamp(requirements).read_text(encoding="utf-8") == _fingerprint(requirements)
    except OSError:
        return False


def _complete(files: list[Path]) -> bool:
    return PYTHON.exists() and not _BEGUN.exists() and all(map(_up_to_date, files))


def _python_version() -> str | None:
    """Of the environment that is there, as `3.12`."""
    with contextlib.suppress(OSError):
        for line in _CONFIG.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    return None


def _usable() -> bool:
    return PYTHON.exists() and not _BEGUN.exists() and _python_version() == VERSION


@contextlib.contextmanager
def _alone() -> Iterator[int]:
    """One set-up at a time per checkout. The folder itself is the lock, so no lock file is left behind."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is setting up; waiting for it ...")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def _set_up(files: list[Path]) -> None:
    if not os.access(ROOT, os.W_OK) or (VENV.exists() and not os.access(VENV, os.W_OK)):
        raise CannotStart(
            f"Cannot write to {ROOT}: the virtual environment is made there. "
            "Make the folder writable for this user, or copy it to a place that is."
        )
    with _alone() as lock:
        wanting = [file for file in files if not _up_to_date(file)] if _usable() else files
        if _complete(files):
            return
        say("Setting up (once, about half a minute) ...")
        began = time.monotonic()
        if not _usable():
            _make_anew()
        _install(wanting, lock)
        say(f"Set up in {time.monotonic() - began:.0f} s.")


def _make_anew() -> None:
    if VENV.exists():
        _refuse_if_in_use()
        shutil.rmtree(VENV)
    # Without pip: Debian's Python comes without ensurepip, and another Python's pip can install into it.
    venv.EnvBuilder(symlinks=True, with_pip=False).create(VENV)


def _install(files: list[Path], lock: int) -> None:
    _BEGUN.touch()
    for file in files:
        _stamp(file).unlink(missing_ok=True)
        fingerprint = _fingerprint(file)
        pip.install(PYTHON, file, VENV / "install.log", lock=lock)
        _stamp(file).write_text(fingerprint, encoding="utf-8")
    _BEGUN.unlink()


def _hold() -> None:
    """Keeps a shared lock for the life of this process (it outlives exec), so that nobody replaces `.venv` under it."""
    with contextlib.suppress(OSError):
        config = os.open(_CONFIG, os.O_RDONLY)
        os.set_inheritable(config, True)
        fcntl.flock(config, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _refuse_if_in_use() -> None:
    try:
        config = os.open(_CONFIG, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(config, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(
            f"{VENV} has to be made anew, because it is not whole or not of Python {VERSION}; "
            "but a running command still uses it. Stop that first."
        ) from None
    finally:
        os.close(config)
