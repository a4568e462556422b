"""What a version has to keep before it takes traffic: what callers send and get, and its answers to golden requests.

Whoever forces says so, with a reason; what was overridden goes to the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from django.utils.translation import gettext as _

from inference.endpoints.compatible import check_compatible
from inference.golden import asking
from inference.golden.words import sentence_of
from inference.models import GoldenRun
from portal.lib.errors import Conflict, PortalError
from registry.models import ModelVersion

MISMATCH = "golden_mismatch"


def check_contract(
    live: ModelVersion | None, versions: Sequence[ModelVersion], occasion: str, *, force: bool | None
) -> dict[str, Any]:
    """What goes to the record: `forced`, the codes that were overridden, and `golden`, the runs. Empty where nothing is
    to be said. `live` is the version whose callers are to go on; None where there are none. `force` is None where
    nothing can be overridden.

    Raises Conflict (`signature_breaking`, `golden_mismatch`) or Unavailable (`golden_not_run`). Must not be called
    inside a transaction.
    """
    forced: list[str] = []
    runs: list[GoldenRun] = []
    for version in versions:
        if live is not None and version.pk != live.pk:
            _either(partial(check_compatible, live, version), force, forced)
    # All at once, so that several versions take no longer than the slowest.
    asked = [found for version in versions if (found := asking.ask_for(version, occasion)) is not None]
    until = monotonic() + (asking.FORCED_WAIT_SECONDS if force else asking.WAIT_SECONDS)
    for one in asked:
        _either(partial(_check_golden, one, until, runs), force, forced)
    return notes_of(forced, runs)


def notes_of(forced: Sequence[str], runs: Sequence[GoldenRun]) -> dict[str, Any]:
    golden = [
        {"run": run.pk, "version": run.version_id, "n_requests": run.n_requests, "n_failed": run.n_failed}
        for run in runs
    ]
    notes: dict[str, Any] = {"forced": list(dict.fromkeys(forced))} if forced else {}
    return {**notes, "golden": golden} if golden else notes


def _either(check: Callable[[], None], force: bool | None, forced: list[str]) -> None:
    try:
        check()
    except PortalError as error:
        if force is None:
            raise
        if not force:
            raise with_way_out(error) from None
        forced.append(error.code)


def with_way_out(error: PortalError) -> PortalError:
    """The same, saying that it can be overridden."""
    error.message = f"{error.message} {_('Force it, with the reason, if that is meant.')}"
    return error


def _check_golden(asked: asking.Asked, until: float, runs: list[GoldenRun]) -> None:
    run = asking.wait_for(asked, until)
    runs.append(run)
    check_passed(asked.version, run)


def check_passed(version: ModelVersion, run: GoldenRun) -> None:
    """Raises Conflict (`golden_mismatch`) with the numbers of each request that failed."""
    if run.n_failed:
        raise Conflict(
            _("Version %(n)s does not answer as it has to. %(why)s") % {"n": version.number, "why": sentence_of(run)},
            code=MISMATCH,
            details={
                "version": version.number,
                "run": run.pk,
                "failed": [result for result in run.results if not result["passed"]],
            },
        )
