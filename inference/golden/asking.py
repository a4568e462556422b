"""Asks a worker for a golden run and waits for it: models are never run in the process that asks.

Knows nothing of how it is run (`running.py`), so that whatever moves traffic may ask.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import GoldenRun
from inference.selectors.golden import digest_of, golden_of, runs_of
from portal.lib.errors import Unavailable
from registry.models import ModelVersion
from registry.services.doorbell import ring

TASK = "inference.tasks.run_golden"
WAIT_SECONDS = 30.0
# Who forces is in a hurry, and told what is not known.
FORCED_WAIT_SECONDS = 10.0
# A run of the same requests that was passed so short a time ago is not repeated.
FRESH = timedelta(minutes=5)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """Rung for, or passed a moment ago. `newest` is the last run of the same requests from before."""

    version: ModelVersion
    digest: str
    newest: int
    fresh: GoldenRun | None


def ask_for(version: ModelVersion, occasion: str) -> Asked | None:
    """Has a worker told; None where the model has no golden requests. Must not be called inside a transaction."""
    digest = digest_of(golden_of(version.model))
    if not digest:
        return None
    same = runs_of(version).filter(set_digest=digest)
    newest = same.first()
    fresh = same.filter(n_failed=0, created_at__gte=timezone.now() - FRESH).first()
    if fresh is None:
        ring(TASK, version.pk, occasion, queue="validation")
    return Asked(version, digest, newest.pk if newest else 0, fresh)


def wait_for(asked: Asked, until: float) -> GoldenRun:
    """Passed or not. `until` is in seconds of `time.monotonic`; a run that is there then is seen in any case.

    Raises Unavailable (`golden_not_run`) where no worker has run them by then.
    """
    runs, pause = runs_of(asked.version).filter(set_digest=asked.digest, pk__gt=asked.newest), FIRST_PAUSE_SECONDS
    while (run := asked.fresh or runs.first()) is None and time.monotonic() < until:
        time.sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, pause * 1.5)
    if run is not None:
        return run
    raise Unavailable(
        _("No worker has run the golden requests on version %(n)s in time. Try again.") % {"n": asked.version.number},
        code="golden_not_run",
        details={"version": asked.version.number},
        retry_after=10,
    )
