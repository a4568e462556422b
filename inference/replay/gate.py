"""What a rollout has to pass before it gets traffic: its candidate answers requests that stable has answered."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import ReplayRun, Rollout
from inference.replay import verdict
from inference.replay.running import carry_out
from inference.replay.services import USUAL_TOLERATED

State = ReplayRun.State
SECONDS = 60.0
# A file that was replayed by hand counts for so long.
FRESH = timedelta(hours=24)


class Gate(NamedTuple):
    """`sentence` is for people and says what to do where it was not passed."""

    passed: bool
    sentence: str
    run: ReplayRun | None


def run_gate(rollout: Rollout) -> Gate:
    """Replays captured requests in the calling worker, for about a minute at most, outside any transaction.

    A file replayed by hand with the same pair of versions counts instead. Having nothing to replay is passed unless the
    endpoint requires a replay. To be called again after a crash.
    """
    expects_difference = bool(rollout.options.get("expects_difference"))
    run = _by_hand(rollout)
    if run is not None:
        tolerated = rollout.options.get("tolerated_disagreement", USUAL_TOLERATED)
        counts = verdict.Counts(run.n_requests, run.n_disagreed, run.n_failed)
        # A candidate that could not even be loaded has no counts.
        passed = counts.n_requests > 0 and verdict.has_passed(counts, tolerated, expects_difference)
        return Gate(passed, _told(run, counts, tolerated, expects_difference), run)
    ended = rollout.replays.filter(state__in=(State.PASSED, State.FAILED)).first()
    run = ended or carry_out(_begin(rollout), SECONDS, expects_difference)
    if run.state == State.EMPTY:
        return _empty(rollout, run)
    return Gate(run.state == State.PASSED, run.sentence, run)


def _by_hand(rollout: Rollout) -> ReplayRun | None:
    runs = ReplayRun.objects.filter(
        endpoint=rollout.endpoint_id,
        stable=rollout.stable_id,
        candidate=rollout.candidate_id,
        source=ReplayRun.Source.FILE,
        state__in=(State.PASSED, State.FAILED),
        ended_at__gte=timezone.now() - FRESH,
    )
    return runs.order_by("-pk").first()


def _told(run: ReplayRun, counts: verdict.Counts, tolerated: float, expects_difference: bool) -> str:
    return verdict.sentence_of(counts, tolerated, expects_difference) if counts.n_requests else run.sentence


def _begin(rollout: Rollout) -> ReplayRun:
    """What an earlier try left behind is given up."""
    now = timezone.now()
    sentence = _("The worker that carried it out has died.")
    rollout.replays.filter(state=State.RUNNING).update(state=State.ERROR, sentence=sentence, ended_at=now)
    return ReplayRun.objects.create(
        endpoint=rollout.endpoint,
        stable=rollout.stable,
        candidate=rollout.candidate,
        rollout=rollout,
        source=ReplayRun.Source.CAPTURED,
        state=State.RUNNING,
        tolerated=rollout.options.get("tolerated_disagreement", USUAL_TOLERATED),
        created_by_id=rollout.created_by_id,
        started_at=now,
    )


def _empty(rollout: Rollout, run: ReplayRun) -> Gate:
    if rollout.endpoint.replay_required:
        return Gate(False, _("This endpoint requires a replay. %(why)s") % {"why": run.sentence}, run)
    return Gate(True, run.sentence, run)
