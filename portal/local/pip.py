"""Finds a pip and installs with it into another environment. Standard library only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from portal.local.console import CannotStart, tail

_NO_PIP = (
    "This Python has neither pip nor ensurepip. Install one of them and start again, "
    "for example on Debian or Ubuntu: apt-get install python3-venv"
)
# A person's own pip settings for elsewhere must not move the install out of the environment.
_FOREIGN_SETTINGS = ("PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PYTHONHOME", "PYTHONPATH")


def install(python: Path, requirements: Path, log: Path, *, lock: int) -> None:
    """`lock` is an open file with the set-up's lock: pip shares it, so the lock holds if pip outlives its caller."""
    command = [*_pip_for(python), "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    with open(log, "ab") as out:
        process = subprocess.Popen(
            [*command, "-r", str(requirements)],
            stdout=out,
            stderr=out,
            env=_environment(),
            pass_fds=(lock,),
            start_new_session=True,
        )
    try:
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)  # pip hands over to another pip: both must end
        process.wait()
        raise
    if status:
        raise CannotStart(f"Installing {requirements.name} did not work. The end of {log}:\n\n{tail(log)}")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN_SETTINGS}
    return {**kept, "PIP_USER": "0"}


def _answers(*command: str) -> str | None:
    result = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    return result.stdout if result.returncode == 0 else None


def _pip_for(python: Path) -> list[str]:
    base = getattr(sys, "_base_executable", sys.executable)
    if _answers(str(python), "-m", "pip", "--version") is not None:
        return [str(python), "-m", "pip"]
    if _can_install_elsewhere(_answers(base, "-m", "pip", "--version")):
        return [base, "-m", "pip", "--python", str(python)]
    if _answers(str(python), "-m", "ensurepip") is not None:
        return [str(python), "-m", "pip"]
    raise CannotStart(_NO_PIP)


def _can_install_elsewhere(version_line: str | None) -> bool:
    """`pip --python` exists since 22.3. A Python that forbids global installs (PEP 668) permits it all the same."""
    found = re.match(r"pip (\d+)\.(\d+)", version_line or "")
    return found is not None and (int(found[1]), int(found[2])) >= (22, 3)
