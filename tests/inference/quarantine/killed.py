"""Deaths as a serving process reports them."""

from __future__ import annotations

import itertools
import time
from typing import Any

from inference.quarantine.services import record_death
from inference.runtime.deaths import Death
from registry.models import ModelVersion

_numbers = itertools.count(1)


def death_of(version: ModelVersion, *, ago: float = 0.0, **facts: Any) -> Death:
    """`ago` in seconds."""
    usual = {"cause": "crashed", "signal": "SIGSEGV", "isolated": True, "pid": 4711}
    return Death(key=f"death-{next(_numbers)}", sha256=version.sha256, at=time.time() - ago, **{**usual, **facts})


def kill(version: ModelVersion, times: int = 2) -> None:
    for _ in range(times):
        record_death(death_of(version))
