"""Has a version answer the golden requests of its model, in a process of its own, and writes down how it did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from time import monotonic
from typing import Any

import structlog
from django.utils.translation import gettext as _

from inference.golden.comparing import Finding, compare, read_expected
from inference.golden.upkeep import forget_old_runs
from inference.golden.words import told
from inference.models import GoldenRequest, GoldenRun
from inference.replay.pair import LONGEST_WAIT, Side, opened
from inference.routing.snapshot import version_ref
from inference.selectors.golden import digest_of, golden_of
from portal.lib.errors import InvalidInput, PortalError
from registry.models import ModelVersion, VersionStatus

# A promotion waits for 30 s.
SECONDS = 25.0
LONGEST_REQUEST = 5.0
VALIDATION = "validation"
log = structlog.get_logger(__name__)


def run_golden(version_id: int, occasion: str) -> GoldenRun | None:
    """None where the model has no golden requests, or nothing ready is there to run.

    To be called again after a crash. A doubled message after validation finds the run there.
    """
    version = ModelVersion.objects.select_related("model").filter(pk=version_id, deleted_at=None).first()
    if version is None or version.status != VersionStatus.READY:
        return None
    requests = list(golden_of(version.model))
    digest = digest_of(requests)
    if not requests or (occasion == VALIDATION and version.golden_runs.filter(set_digest=digest).exists()):
        return None
    results = _results(version, requests)
    n_failed = sum(not result["passed"] for result in results)
    log.info("golden_run", version=str(version), occasion=occasion, n_requests=len(results), n_failed=n_failed)
    run = GoldenRun.objects.create(
        version=version,
        occasion=occasion,
        set_digest=digest,
        n_requests=len(results),
        n_failed=n_failed,
        results=results,
    )
    forget_old_runs(version)
    return run


def _results(version: ModelVersion, requests: Sequence[GoldenRequest]) -> list[dict[str, Any]]:
    until = monotonic() + SECONDS
    try:
        with opened(version_ref(version)) as side:
            return list(_answers(side, requests, until))
    except PortalError as error:
        sentence = _("The version cannot be tried: %(why)s") % {"why": error}
        return [_failed(row, error.code, sentence) for row in requests]


def _answers(side: Side, requests: Sequence[GoldenRequest], until: float) -> Iterator[dict[str, Any]]:
    for row in requests:
        left = until - monotonic()
        if left <= 0:
            yield _failed(row, "out_of_time", _("It was not run: the time was over."))
        else:
            yield _answer(side, row, left)


def _answer(side: Side, row: GoldenRequest, left: float) -> dict[str, Any]:
    """Within `left` seconds, whatever the model does: waiting for its process leaves the request its time."""
    seconds = min(LONGEST_REQUEST, left)
    try:
        got = side.answer(json.dumps(row.request).encode(), seconds, min(LONGEST_WAIT, left - seconds))
    except InvalidInput as error:
        return _failed(row, "refused", _("The version does not take it: %(why)s") % {"why": error})
    except PortalError as error:
        return _failed(row, error.code, _("There is no answer: %(why)s") % {"why": error})
    finding = compare(read_expected(row.expected), got, rtol=row.rtol, atol=row.atol)
    return _result(row, finding, told(finding, row.rtol, row.atol))


def _failed(row: GoldenRequest, code: str, sentence: str) -> dict[str, Any]:
    return _result(row, Finding(code), sentence)


def _result(row: GoldenRequest, finding: Finding, sentence: str) -> dict[str, Any]:
    return {"id": row.pk, "name": row.name, "passed": not finding.code, "sentence": sentence, **asdict(finding)}
