"""The regular look at running experiments: collect, judge, tell people once, and stop where a guardrail says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.experiments.collecting import Collected, collect
from inference.experiments.concluding import is_live, stop, told, write_end
from inference.experiments.findings import find
from inference.experiments.verdict import Code
from inference.experiments.words import breach_sentence, sentence_of
from inference.models import Experiment
from inference.outcomes.rewards import add_rewards
from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM
from registry.notifications.services import notify

log = structlog.get_logger(__name__)
State = Experiment.State
# Processes write down their last counts some seconds after the traffic has gone.
TAIL = timedelta(seconds=60)
DRAFT_FOR = timedelta(minutes=10)


def look_at_all() -> None:
    """Each on its own, so that one that fails keeps no other from being looked at."""
    for experiment_id in due():
        try:
            look(experiment_id)
        except PortalError as error:
            log.warning("experiment_not_looked_at", experiment=experiment_id, code=error.code, message=error.message)


def due() -> list[int]:
    now = timezone.now()
    forgotten = Q(state=State.DRAFT, created_at__lt=now - DRAFT_FOR)
    wanted = Q(state=State.RUNNING) | Q(ended_at__gt=now - TAIL) | forgotten
    return list(Experiment.objects.filter(wanted).values_list("pk", flat=True))


def look(experiment_id: int) -> Experiment | None:
    """None where somebody else is looking. Judging may take long with many keys, so it holds no lock."""
    if not _gather(experiment_id):
        return None
    found = find(Experiment.objects.get(pk=experiment_id))
    experiment = _note(experiment_id, found)
    _stop_if_told(experiment)
    return experiment


def _gather(experiment_id: int) -> bool:
    """What is new becomes sums; the counters and what they count stand or fall together."""
    with transaction.atomic():
        rows = Experiment.objects.select_for_update(skip_locked=True, of=("self",)).select_related("endpoint")
        experiment = rows.filter(pk=experiment_id).first()
        if experiment is None:
            return False
        collected = collect(experiment)
        add_rewards(experiment)
        experiment.verdict = {**experiment.verdict, **_added_up(experiment, collected)}
        experiment.save(update_fields=["verdict"])
    return True


def _note(experiment_id: int, found: dict[str, Any]) -> Experiment:
    with transaction.atomic():
        rows = Experiment.objects.select_for_update(of=("self",)).select_related("endpoint")
        experiment = rows.get(pk=experiment_id)
        experiment.verdict = {**experiment.verdict, **found}
        if experiment.state == State.RUNNING:
            _tell(experiment)
        experiment.save(update_fields=["verdict"])
        _end_what_is_lost(experiment)
    return experiment


def _added_up(experiment: Experiment, collected: Collected) -> dict[str, int]:
    before = experiment.verdict
    return {
        "n_drawn": before.get("n_drawn", 0) + collected.n_drawn,
        "n_dropped": before.get("n_dropped", 0) + collected.n_dropped,
    }


def _tell(experiment: Experiment) -> None:
    """Of each kind of news the first."""
    verdict = experiment.verdict
    before = verdict.get("told", [])
    for kind, sentence in _news(experiment).items():
        if kind not in before:
            body = told(experiment, {"kind": kind, "code": verdict["code"], "sentence": sentence}, SYSTEM)
            subject = _("Experiment “%(name)s”: %(sentence)s") % {"name": experiment.name, "sentence": sentence}
            notify(experiment.endpoint.project_id, "experiment.decided", subject, body)
    verdict["told"] = [*dict.fromkeys([*before, *_news(experiment)])]


def _news(experiment: Experiment) -> dict[str, str]:
    verdict: dict[str, Any] = experiment.verdict
    news = {}
    if verdict["code"] == Code.UNTRUSTED:
        news["untrusted"] = sentence_of(experiment)
    elif verdict["code"] != Code.UNDECIDED:
        news["decided"] = sentence_of(experiment)
    if verdict["breaches"]:
        news["breach"] = breach_sentence(experiment, verdict["breaches"][0])
    return news


def _end_what_is_lost(experiment: Experiment) -> None:
    """Where the traffic was taken away, by a quarantine or with the endpoint, nothing more will be counted."""
    if experiment.state == State.DRAFT:
        write_end(SYSTEM, experiment, None, _("It never began: its process died while the versions were loading."))
    elif experiment.state == State.RUNNING and not is_live(experiment):
        write_end(SYSTEM, experiment, None, _("Its traffic was taken away, so it could not go on."))


def _stop_if_told(experiment: Experiment) -> None:
    broken = experiment.verdict["breaches"]
    running = Experiment.objects.filter(pk=experiment.pk, state=State.RUNNING).exists()
    if running and broken and experiment.guardrails.get("stop"):
        stop(SYSTEM, experiment, reason=breach_sentence(experiment, broken[0]))
