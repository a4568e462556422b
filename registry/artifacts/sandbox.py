"""Validates an uploaded model in a confined child process and turns whatever happens to it into a report."""

from __future__ import annotations

import os
import time

from registry.artifacts import errand
from registry.artifacts.conversation import Conversation, OnStep
from registry.artifacts.errand import Errand
from registry.artifacts.incoming import HEAD_BYTES
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.report import Report
from registry.artifacts.sniff import sniff
from registry.artifacts.verdict import judge


def validate(model: OpenModel, *, limits: Limits | None = None, on_step: OnStep | None = None) -> Report:
    """Never raises for what the model does. Raises Unavailable when no sandbox can be started.

    `on_step` is called with "lint", "checker", "load", "probe" as each begins.
    """
    limits = limits or Limits()
    rejection = sniff(os.pread(model.main, HEAD_BYTES, 0), os.fstat(model.main).st_size)
    if rejection is not None:
        return Report.rejected(rejection)
    started = time.monotonic()
    heard = errand.run(Errand(model, limits), lambda: Conversation(on_step or _ignore, limits.report_bytes))
    return judge(heard, limits, time.monotonic() - started)


def _ignore(step: str) -> None:
    return None
