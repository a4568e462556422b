"""Experiments: those of an endpoint with the form for the next one, one experiment's page, and its end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _

from inference.experiments.concluding import Concluded, conclude
from inference.experiments.starting import start
from inference.experiments.words import sentence_of
from inference.models import Endpoint, Experiment
from inference.pages import selectors_pages
from inference.pages.arms import arms_of
from inference.pages.experiment_forms import NOBODY, ConcludeForm, ExperimentForm
from inference.pages.experiment_rows import live_context
from inference.selectors.endpoints import get_endpoint
from inference.selectors.experiments import experiments_of, get_experiment
from portal.lib.errors import DeadlineExceeded, PortalError
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import page_of

State = Experiment.State


@page(GET="experiment.view", POST="experiment.operate")
def experiments(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "experiment.view", endpoint.project_id, slug)
    posted = request.method == "POST"
    if posted:
        policy.require_endpoint(request.principal, "experiment.operate", endpoint.project_id, slug)
    form = _form(request, endpoint)
    status = 200
    if posted:
        status = 400
        if form.is_valid():
            try:
                data = form.cleaned_data
                made = start(request.principal, endpoint, form.wish, reason=data["reason"], epoch=data["epoch"])
            except DeadlineExceeded as error:
                messages.warning(request, error.message)
                return go(request, "experiments", slug)
            except PortalError as error:
                status = blame(form, error)
            else:
                said = _("“%(name)s” runs: each key stays with its arm.") % {"name": made.experiment.name}
                return go(request, "experiment", made.experiment.pk, said=said)
    return show(request, "inference/experiments.html", _list(request, endpoint, form), status)


def _form(request: PageRequest, endpoint: Endpoint) -> ExperimentForm:
    live = [arm.version for arm in arms_of(endpoint.live_split) if arm.weight_bp]
    return ExperimentForm(
        request.POST if request.method == "POST" else None,
        versions=selectors_pages.offered_versions(endpoint.model),
        live=live[0] if len(live) == 1 else None,
        initial={"epoch": endpoint.epoch},
    )


def _list(request: PageRequest, endpoint: Endpoint, form: ExperimentForm) -> dict[str, Any]:
    rows = page_of(request, experiments_of(request.principal, endpoint))
    found: list[Any] = list(rows.object_list)
    for experiment in found:
        experiment.sentence = sentence_of(experiment)
    rows.object_list = found
    live = [arm for arm in arms_of(endpoint.live_split) if arm.weight_bp]
    return {
        "endpoint": endpoint,
        "form": form,
        "page": rows,
        "is_whole": len(live) == 1,
        "running": experiments_of(request.principal, endpoint).filter(state=State.RUNNING).first(),
        "may_operate": policy.can(request.principal, "experiment.operate", endpoint.project_id),
    }


@page(GET="experiment.view")
def experiment(request: PageRequest, experiment_id: int) -> HttpResponse:
    found = get_experiment(request.principal, experiment_id)
    policy.require_endpoint(request.principal, "experiment.view", found.endpoint.project_id, found.endpoint.slug)
    may = policy.can(request.principal, "experiment.operate", found.endpoint.project_id)
    context = {
        **live_context(found),
        "may_conclude": may and found.state in (State.RUNNING, State.DRAFT),
        "chosen": found.verdict.get("chosen"),
        "rollout_id": found.verdict.get("rollout"),
    }
    return show(request, "inference/experiment.html", context)


@page(GET="experiment.view")
def live(request: PageRequest, experiment_id: int) -> HttpResponse:
    """204 while the page would see what it has seen; once the experiment has ended the whole page is due."""
    found = get_experiment(request.principal, experiment_id)
    policy.require_endpoint(request.principal, "experiment.view", found.endpoint.project_id, found.endpoint.slug)
    context = live_context(found)
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    answer = show(request, "inference/_experiment_live.html", context)
    if not context["is_running"]:
        answer["HX-Refresh"] = "true"
    return answer


@page(GET="experiment.operate", POST="experiment.operate")
def conclude_page(request: PageRequest, experiment_id: int) -> HttpResponse:
    found = get_experiment(request.principal, experiment_id)
    policy.require_endpoint(request.principal, "experiment.operate", found.endpoint.project_id, found.endpoint.slug)
    posted, status = request.method == "POST", 200
    initial = {"winner": _proposed(found), "lock_version": found.lock_version}
    form = ConcludeForm(request.POST if posted else None, arms=list(found.arms.all()), initial=initial)
    if posted:
        status = 400
        if form.is_valid():
            try:
                done = _conclude(request, found, form.cleaned_data)
            except DeadlineExceeded as error:
                messages.warning(request, error.message)
                return go(request, "experiment", found.pk)
            except PortalError as error:
                status = blame(form, error)
                found = get_experiment(request.principal, experiment_id)
            else:
                return go(request, "experiment", found.pk, said=_said(done))
    context = {
        "experiment": found,
        "endpoint": found.endpoint,
        "form": form,
        "sentence": sentence_of(found),
        "before": arms_of(found.endpoint.live_split),
        "after": arms_of(found.base_split),
    }
    return show(request, "inference/experiment_conclude.html", context, status)


def _proposed(found: Experiment) -> str:
    """The winner by the verdict, where there is one."""
    return found.verdict["arm"] if found.verdict.get("code") == "winner" else NOBODY


def _conclude(request: PageRequest, found: Experiment, data: dict[str, Any]) -> Concluded:
    return conclude(
        request.principal,
        found,
        winner=None if data["winner"] == NOBODY else data["winner"],
        reason=data["reason"],
        preset=data["rollout"],
        lock_version=data["lock_version"],
    )


def _said(done: Concluded) -> str:
    if done.rollout is not None:
        return _("Concluded. Rollout %(n)s takes the winner on from here.") % {"n": done.rollout.pk}
    return _("The experiment has ended, and the traffic is back where it was.")
