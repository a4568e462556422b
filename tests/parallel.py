"""A pytest plugin for `-n`: each of the processes has a data folder and a broker database of its own, and what shares a
running portal stays in one process.

It is loaded before Django's settings are, which read both from the environment. The databases are told apart by
pytest-django.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

if WORKER:
    # Django calls the folder its own; the stores' logs and sockets stay where they are.
    folder = Path(os.environ["PORTAL_DATA_DIR"]) / WORKER
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    os.environ["PORTAL_DATA_DIR"] = str(folder)
    number = int(WORKER.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = re.sub(r"db=\d+", f"db={number}", os.environ["REDIS_URL"])


class Together(LoadScopeScheduling):
    """The browser's stories on one portal, the flows on two, and every other test wherever there is room."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/browser/"):
            return "browser"
        if file.startswith("tests/flows/"):
            return f"flows-{sum(file.encode()) % 2}"
        return nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)
