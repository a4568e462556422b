"""Takes reported truth, one by one or in lists. Each endpoint's part is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Endpoint, Outcome
from inference.outcomes.joining import JOINED_FIELDS, join, newest_records
from inference.outcomes.reports import Report, read_report, rejected
from inference.outcomes.tally import Tally
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import InvalidInput, PortalError, TooLarge
from registry.access import policy
from registry.access.principal import Principal

MOST_OUTCOMES = 10_000
LONGEST_SLUG = 64
LOCKS = 0x6F757463  # "outc": of each endpoint one writer at a time, so that two reports of one id cannot collide


def report_one(principal: Principal, item: Any) -> Tally:
    """Raises InvalidInput, NotFound where there is no such endpoint, or NotAllowed."""
    report = read_report(0, item, timezone.now())
    return keep(endpoint_for(principal, report.endpoint), [report])


def report_many(principal: Principal, items: Any, endpoint: str = "") -> Tally:
    """What cannot be taken is listed with its place, the rest is taken. `endpoint` is meant where an item names none.

    Raises InvalidInput or TooLarge (`too_many_outcomes`).
    """
    if not isinstance(items, list):
        raise InvalidInput(_("“outcomes” has to be a list of outcomes."), details={"field": "outcomes"})
    if len(items) > MOST_OUTCOMES:
        raise TooLarge(
            _("Send at most %(n)s outcomes at once, or a CSV file.") % {"n": MOST_OUTCOMES}, code="too_many_outcomes"
        )
    tally, now = Tally(), timezone.now()
    by_slug: dict[str, list[Report]] = {}
    for index, item in enumerate(items):
        try:
            report = read_report(index, item, now, endpoint)
        except InvalidInput as error:
            tally.rejected.append(rejected(index, error))
        else:
            by_slug.setdefault(report.endpoint, []).append(report)
    for slug, reports in by_slug.items():
        tally.add(_keep_or_reject(principal, slug, reports))
    tally.rejected.sort()
    return tally


def _keep_or_reject(principal: Principal, slug: str, reports: list[Report]) -> Tally:
    try:
        return keep(endpoint_for(principal, slug), reports)
    except PortalError as error:
        return Tally(rejected=[rejected(report.place, error) for report in reports])


def endpoint_for(principal: Principal, slug: str) -> Endpoint:
    """The endpoint that this caller may report about. Raises InvalidInput where none is named, NotFound, NotAllowed."""
    if not slug:
        raise InvalidInput(
            _("Name the endpoint that made the prediction."), code="no_endpoint", details={"field": "endpoint"}
        )
    # No endpoint has such a name, and PostgreSQL would refuse the question.
    sound = slug if len(slug) <= LONGEST_SLUG and "\0" not in slug else ascii(slug[:LONGEST_SLUG])
    endpoint = get_endpoint(principal, sound)
    policy.require_endpoint(principal, "outcome.report", endpoint.project_id, endpoint.slug)
    return endpoint


@transaction.atomic
def keep(endpoint: Endpoint, reports: Sequence[Report]) -> Tally:
    """A report about an id that is known already changes it; one that says the same is counted as repeated."""
    tally, now = Tally(), timezone.now()
    by_id = _folded(reports)
    tally.repeated = len(reports) - len(by_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, endpoint.pk % 2**31])
    known = Outcome.objects.select_for_update().filter(endpoint=endpoint, request_id__in=list(by_id)).order_by("pk")
    rows = {row.request_id: row for row in known}
    records = newest_records(endpoint, by_id)
    new: list[Outcome] = []
    changed: list[Outcome] = []
    for request_id, report in by_id.items():
        row = rows.get(request_id)
        if row is not None and not _says_more(report, row):
            tally.repeated += 1
            continue
        outcome = row or Outcome(endpoint=endpoint, request_id=request_id)
        (changed if row else new).append(outcome)
        _apply(outcome, report, now)
        record = records.get(request_id)
        if record is not None:
            join(outcome, record, now)
        _count(tally, outcome)
    Outcome.objects.bulk_create(new, batch_size=1_000)
    Outcome.objects.bulk_update(changed, ["label", "reward", "received_at", *JOINED_FIELDS], batch_size=500)
    return tally


def _folded(reports: Sequence[Report]) -> dict[str, Report]:
    """Of several reports about one id the last stands, with what only the earlier ones said."""
    by_id: dict[str, Report] = {}
    for report in reports:
        before = by_id.get(report.request_id)
        by_id[report.request_id] = _merged(before, report) if before else report
    return by_id


def _merged(before: Report, after: Report) -> Report:
    label = before.label if after.label is None else after.label
    return after._replace(label=label, reward=before.reward if after.reward is None else after.reward)


def _says_more(report: Report, row: Outcome) -> bool:
    other_label = report.label is not None and (report.label, type(report.label)) != (row.label, type(row.label))
    return other_label or (report.reward is not None and report.reward != row.reward)


def _apply(outcome: Outcome, report: Report, now: Any) -> None:
    if report.label is not None:
        outcome.label = report.label
    if report.reward is not None:
        outcome.reward = report.reward
    if outcome.taken is None:
        outcome.received_at = report.at or now


def _count(tally: Tally, outcome: Outcome) -> None:
    """A new value for what is evidence already is shown, but counted as a repetition: the evidence stays."""
    if outcome.taken is not None:
        tally.repeated += 1
        return
    tally.accepted += 1
    tally.joined += outcome.record_id is not None
    tally.unknown += outcome.record_id is None
    tally.late += outcome.is_late
