"""Runs a replay to its end and writes down what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import ReplayDiff, ReplayRun
from inference.replay import pair, verdict
from inference.replay.requests import Asked, bad_line, requests_of
from inference.routing.snapshot import version_ref
from portal.lib.errors import InvalidInput, PortalError, Unavailable

State = ReplayRun.State
SECONDS = 240.0
LONGEST_REQUEST = 5.0
MOST_DIFFS = 100
MOST_TEXT = 16_000
# So many failures say enough.
MOST_FAILURES = 10
PROGRESS_SECONDS = 1.0


@dataclass
class Progress:
    """What was seen so far. `note` says why it ended before its time."""

    run: ReplayRun
    until: float
    n_requests: int = 0
    n_disagreed: int = 0
    n_failed: int = 0
    n_flips: int = 0
    n_left_out: int = 0
    max_abs: float | None = None
    diffs: list[ReplayDiff] = field(default_factory=list)
    note: str = ""
    shown_at: float = 0.0

    @property
    def counts(self) -> verdict.Counts:
        return verdict.Counts(self.n_requests, self.n_disagreed, self.n_failed)

    def is_over(self) -> bool:
        if self.n_failed >= MOST_FAILURES:
            self.note = _("It was ended after %(n)s failures.") % {"n": self.n_failed}
        elif monotonic() >= self.until:
            self.note = _("It was ended when its time was over.")
        return bool(self.note)

    def add(self, asked: Asked, compared: pair.Compared) -> None:
        agreement = compared.agreement
        self.n_requests += 1
        self.n_flips += agreement.n_flips
        if agreement.max_abs is not None:
            self.max_abs = max(self.max_abs or 0.0, agreement.max_abs)
        if agreement.agrees:
            return
        self.n_disagreed += 1
        self.n_failed += compared.has_failed
        if len(self.diffs) < MOST_DIFFS:
            self.diffs.append(_diff(self.run, asked, compared))

    def show(self) -> None:
        if monotonic() - self.shown_at >= PROGRESS_SECONDS:
            self.shown_at = monotonic()
            ReplayRun.objects.filter(pk=self.run.pk, state=State.RUNNING).update(n_requests=self.n_requests)


def _diff(run: ReplayRun, asked: Asked, compared: pair.Compared) -> ReplayDiff:
    return ReplayDiff(
        run=run,
        index=asked.place,
        request_id=asked.request_id,
        kind=compared.agreement.kind,
        max_abs=compared.agreement.max_abs,
        inputs=asked.body.decode("utf-8", "replace").strip()[:MOST_TEXT],
        stable_outputs=compared.stable[:MOST_TEXT],
        candidate_outputs=compared.candidate[:MOST_TEXT],
    )


def run_queued(run_id: int) -> None:
    """Nothing where somebody else has taken it, or where it has ended."""
    claimed = ReplayRun.objects.filter(pk=run_id, state=State.QUEUED)
    if claimed.update(state=State.RUNNING, started_at=timezone.now()):
        carry_out(_loaded(run_id), SECONDS)


def _loaded(run_id: int) -> ReplayRun:
    return ReplayRun.objects.select_related("endpoint", "stable", "candidate").get(pk=run_id)


def carry_out(run: ReplayRun, seconds: float, expects_difference: bool = False) -> ReplayRun:
    """Of a run that is RUNNING: replays for at most about `seconds`, writes the result, and returns the row as it is.

    Whatever goes wrong ends as a result; only an unreachable PostgreSQL raises.
    """
    progress = Progress(run, monotonic() + seconds)
    try:
        facts = _judged(progress, _replay(progress), expects_difference)
    except InvalidInput as error:
        facts = {"state": State.ERROR, "sentence": str(error)}
    except PortalError as error:
        facts = {"state": State.ERROR, "sentence": _("The replay could not be carried out: %(why)s") % {"why": error}}
    _write(progress, facts)
    run.refresh_from_db()
    return run


def _replay(progress: Progress) -> str:
    """Why the candidate could not be loaded, or nothing. Raises PortalError where stable or the file is at fault."""
    run = progress.run
    requests = requests_of(run)
    first = next(requests, None)
    if first is None:
        return ""
    with ExitStack() as opened:
        stable = opened.enter_context(pair.opened(version_ref(run.stable)))
        try:
            candidate = opened.enter_context(pair.opened(version_ref(run.candidate)))
        except Unavailable as error:
            return _("The candidate cannot be tried: %(why)s") % {"why": error}
        _ask_all(progress, stable, candidate, chain([first], requests))
    return ""


def _ask_all(progress: Progress, stable: pair.Side, candidate: pair.Side, requests: Iterable[Asked]) -> None:
    seconds = min(LONGEST_REQUEST, progress.run.endpoint.deadline_ms / 1000)
    for asked in requests:
        if progress.is_over():
            return
        try:
            compared = pair.ask_both(stable, candidate, asked.body, seconds)
        except InvalidInput as error:
            if progress.run.source == ReplayRun.Source.FILE:
                raise InvalidInput(bad_line(asked, error), code="bad_line") from None
            # It was captured when another version with another signature was live.
            compared = None
        if compared is None:
            progress.n_left_out += 1
        else:
            progress.add(asked, compared)
        progress.show()


def _judged(progress: Progress, obstacle: str, expects_difference: bool) -> dict[str, Any]:
    counts, tolerated = progress.counts, progress.run.tolerated
    if obstacle:
        return {"state": State.FAILED, "sentence": obstacle}
    if not counts.n_requests:
        return {"state": State.EMPTY, "sentence": _nothing(progress)}
    passed = verdict.has_passed(counts, tolerated, expects_difference)
    sentence = verdict.sentence_of(counts, tolerated, expects_difference, progress.note)
    return {"state": State.PASSED if passed else State.FAILED, "sentence": sentence}


def _nothing(progress: Progress) -> str:
    if progress.n_left_out:
        return verdict.nothing_to_compare(progress.n_left_out)
    return progress.note or verdict.nothing_to_replay()


@transaction.atomic
def _write(progress: Progress, facts: dict[str, Any]) -> None:
    """Nothing where somebody gave the run up in the meantime."""
    seen = {name: getattr(progress, name) for name in ("n_requests", "n_disagreed", "n_failed", "n_flips", "max_abs")}
    running = ReplayRun.objects.filter(pk=progress.run.pk, state=State.RUNNING)
    if running.update(**seen, **facts, ended_at=timezone.now()):
        ReplayDiff.objects.bulk_create(progress.diffs)
