from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.PORTAL_QUARANTINE_DEATHS, settings.PORTAL_QUARANTINE_SECONDS = 2, 600
