"""The forms that move traffic: promote, split, roll back. Each is a page of its own and the content of a dialog.

All show the state now and the state after, take a reason, and carry the epoch that was shown: when somebody else was
faster, the form comes back with the new state and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _

from inference.endpoints import switching
from inference.endpoints.switching import Switched, WantedShare
from inference.experiments import going_back
from inference.models import Endpoint
from inference.pages import selectors_pages
from inference.pages.arms import Arm, arms_of
from inference.pages.contract import contract_of, require_force
from inference.pages.forms import ForcibleForm, PromoteForm, ReasonForm, RollBackForm, SplitForm
from inference.rollouts import services as rollouts
from inference.selectors.endpoints import get_endpoint
from inference.selectors.rollouts import running_experiment, running_rollout
from portal.lib.errors import Conflict, DeadlineExceeded, PortalError
from portal.lib.words import plain_percent, seconds
from registry import selectors
from registry.access import policy
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show

Act = Callable[[], Switched]


def _open(request: PageRequest, slug: str) -> Endpoint:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "endpoint.deploy", endpoint.project_id, slug)
    return endpoint


@page(GET="endpoint.deploy", POST="endpoint.deploy")
def promote(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = _open(request, slug)
    offered = selectors_pages.offered_versions(endpoint.model)
    data = request.POST if request.method == "POST" else None
    form = PromoteForm(data, versions=offered, initial={"version": _wanted_version(request, offered, endpoint)})
    chosen = _number(form["version"].value())

    def act() -> Switched:
        version = selectors.get_version(request.principal, endpoint.model.name, form.cleaned_data["version"])
        return switching.promote(request.principal, endpoint, version, **_said(form), force=form.cleaned_data["force"])

    after = [Arm("stable", chosen, 10_000)] if chosen else []
    entering = [version for version in offered if version.number == chosen]
    more = {"after": after, "offered": offered}
    return _answer(request, "inference/promote.html", endpoint, form, act, more, entering)


def _wanted_version(request: PageRequest, offered: list[ModelVersion], endpoint: Endpoint) -> int | None:
    """The one that the link names, else the newest that does not have all traffic already."""
    asked = _number(request.GET.get("version"))
    if any(version.number == asked for version in offered):
        return asked
    full = {arm.version for arm in arms_of(endpoint.live_split) if arm.weight_bp == 10_000}
    return next((version.number for version in offered if version.number not in full), None)


def _number(text: Any) -> int:
    return int(text) if str(text or "").isdecimal() and len(str(text)) < 10 else 0


@page(GET="endpoint.deploy", POST="endpoint.deploy")
def split(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = _open(request, slug)
    offered = selectors_pages.offered_versions(endpoint.model)
    live = arms_of(endpoint.live_split)
    data = request.POST if request.method == "POST" else request.GET if "weight_stable" in request.GET else None
    form = SplitForm(
        data, versions=offered, live=live, initial=_proposal(live, offered, _number(request.GET.get("version")))
    )
    form.is_valid()
    after = form.arms if form.is_bound else _initial_arms(form)
    if request.method == "GET" and form.is_bound:
        form.errors.clear()

    def act() -> Switched:
        by_number = {version.number: version for version in offered}
        wanted = [WantedShare(arm.key, by_number[arm.version], arm.weight_bp) for arm in form.arms]
        force = form.cleaned_data["force"]
        return switching.set_split(request.principal, endpoint, wanted, **_said(form), force=force)

    known = {arm.version for arm in live if arm.weight_bp}
    entering = [version for version in offered if version.number in {arm.version for arm in after} - known]
    return _answer(request, "inference/split.html", endpoint, form, act, {"after": after, "offered": offered}, entering)


def _proposal(live: list[Arm], offered: list[ModelVersion], asked: int) -> dict[str, Any]:
    """The live split; while one arm has all, a tenth for the version asked for or the newest other one.

    An arm whose version is quarantined is left out: it may keep nothing.
    """
    all_numbers = [version.number for version in offered]
    shares = {arm.key: arm for arm in live if arm.weight_bp and arm.version in all_numbers}
    if len(shares) == 1:
        (only,) = shares.values()
        numbers = [number for number in all_numbers if number != only.version]
        canary = asked if asked in numbers else next(iter(numbers), None)
        if canary:
            shares = {"stable": Arm("stable", only.version, 9_000), "canary": Arm("canary", canary, 1_000)}
    initial: dict[str, Any] = {}
    for key, arm in shares.items():
        initial |= {f"version_{key}": arm.version, f"weight_{key}": plain_percent(arm.weight_bp)}
    return initial


def _initial_arms(form: SplitForm) -> list[Arm]:
    start = form.initial
    return [
        Arm(key, start[f"version_{key}"], round(float(start[f"weight_{key}"]) * 100))
        for key in form.keys
        if f"weight_{key}" in start
    ]


@page(GET="endpoint.deploy", POST="endpoint.deploy")
def roll_back(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = _open(request, slug)
    asked = _number((request.POST or request.GET).get("revision")) or None
    form = RollBackForm(request.POST if request.method == "POST" else None, initial={"revision": asked})
    rollout = running_rollout(endpoint) if asked is None else None
    ends = rollout.base_split.revision if rollout is not None else asked
    revision, after = selectors_pages.previous_arms(endpoint, ends)

    def act() -> Switched:
        wanted = form.cleaned_data["revision"]
        return going_back.roll_back(request.principal, endpoint, revision=wanted, **_said(form))

    more = {"after": after, "revision": revision, "rollout": rollout, "experiment": running_experiment(endpoint)}
    return _answer(request, "inference/rollback.html", endpoint, form, act, more)


@page(POST="rollout.operate")
def rehearse(request: PageRequest, slug: str) -> HttpResponse:
    """All of a roll back but the moving; the endpoint's page says how long it took."""
    endpoint = get_endpoint(request.principal, slug)
    try:
        found = rollouts.rehearse(request.principal, endpoint)
    except Conflict as error:
        messages.warning(request, error.message)
        return go(request, "endpoint", slug)
    said = _("Rehearsed: %(n)s of %(all)s processes would follow a roll back in %(time)s. Nothing was moved.")
    facts = {"n": found.acknowledged, "all": found.processes, "time": seconds(found.seconds)}
    return go(request, "endpoint", slug, said=said % facts)


def _said(form: ReasonForm) -> dict[str, Any]:
    return {"reason": form.cleaned_data["reason"], "epoch": form.cleaned_data["epoch"]}


def _answer(
    request: PageRequest,
    template: str,
    endpoint: Endpoint,
    form: ReasonForm,
    act: Act,
    more: dict[str, Any],
    entering: Sequence[ModelVersion] = (),
) -> HttpResponse:
    status, code = 200, ""
    if request.method == "POST" and "preview" in request.POST:
        form.errors.clear()
    elif request.method == "POST" and form.is_valid():
        try:
            switched = act()
        except DeadlineExceeded as error:
            messages.warning(request, error.message)
            return go(request, "endpoint", endpoint.slug)
        except PortalError as error:
            status, code = blame(form, error), error.code
            endpoint = get_endpoint(request.principal, endpoint.slug)
        else:
            return go(request, "endpoint", endpoint.slug, said=_outcome(switched))
    elif request.method == "POST":
        status = 400
    contract: dict[str, Any] = {}
    if isinstance(form, ForcibleForm):
        contract = {**contract_of(endpoint, entering, code), **_refused(endpoint, code)}
        require_force(form, contract)
    context = {"endpoint": endpoint, "form": form, **more, **_state(endpoint), **contract}
    return show(request, template, context, status)


def _refused(endpoint: Endpoint, code: str) -> dict[str, Any]:
    """What any move by hand would be refused with now. Not after it was: by then the form says so itself."""
    try:
        switching.check_idle(endpoint)
    except Conflict as error:
        return {"refusal": error.message, "refused": not code}
    return {"refused": False}


def _state(endpoint: Endpoint) -> dict[str, Any]:
    return {"before": arms_of(endpoint.live_split), "last": selectors_pages.last_activation(endpoint)}


def _outcome(switched: Switched) -> str:
    if not switched.changed:
        return _("That was live already: nothing was changed.")
    live = ", ".join(
        _("version %(n)s takes %(share)s %%") % {"n": arm.version, "share": plain_percent(arm.weight_bp)}
        for arm in arms_of(switched.endpoint.live_split)
        if arm.weight_bp
    )
    converged = switched.converged
    if not converged.processes:
        return _("Done: %(live)s. No process is serving right now; the next one starts with it.") % {"live": live}
    return _("Done: %(live)s. Taken over by %(n)s of %(all)s processes in %(time)s.") % {
        "live": live,
        "n": converged.acknowledged,
        "all": converged.processes,
        "time": seconds(converged.seconds),
    }
