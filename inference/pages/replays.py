"""Replays: those of an endpoint with the form for the next one, and one with its differences."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from inference.models import Endpoint, ReplayRun
from inference.pages import selectors_pages
from inference.pages.replay_forms import ReplayForm
from inference.pages.replay_rows import rows_of
from inference.replay import selectors, services
from inference.replay.verdict import Counts
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import Conflict, PortalError
from registry.access import policy
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import page_of
from registry.services.receiving import raise_upload_error

State = ReplayRun.State
# The states' looks among those that badges know.
LOOKS = {State.PASSED: "succeeded", State.EMPTY: "idle", State.ERROR: "failed"}
SHOWN_DIFFS = 10


@page(GET="rollout.view", POST="replay.run")
def replays(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "rollout.view", endpoint.project_id, slug)
    posted = request.method == "POST"
    stable = _stable(endpoint)
    form = _form(request, endpoint, stable)
    status = 200
    if posted:
        policy.require_endpoint(request.principal, "replay.run", endpoint.project_id, slug)
        status = 400
        try:
            raise_upload_error(request)
            if form.is_valid():
                number = form.cleaned_data["candidate"]
                run = services.start_replay(request.principal, endpoint, number, **form.wish)
                return go(request, "replay", run.pk)
        except PortalError as error:
            status = blame(form, error)
    return show(request, "inference/replays.html", _list(request, endpoint, stable, form), status)


def _stable(endpoint: Endpoint) -> ModelVersion | None:
    try:
        return services.stable_of(endpoint)
    except Conflict:
        return None


def _form(request: PageRequest, endpoint: Endpoint, stable: ModelVersion | None) -> ReplayForm:
    offered = [row for row in selectors_pages.offered_versions(endpoint.model) if stable is None or row.pk != stable.pk]
    posted = request.method == "POST"
    data, files = (request.POST, request.FILES) if posted else (None, None)
    return ReplayForm(data, files, versions=offered, initial={"candidate": request.GET.get("candidate", "")})


def _list(request: PageRequest, endpoint: Endpoint, stable: ModelVersion | None, form: ReplayForm) -> dict[str, Any]:
    rows = page_of(request, selectors.replays_of(endpoint))
    return {
        "endpoint": endpoint,
        "stable": stable,
        "form": form,
        "page": rows,
        "rows": [(run, LOOKS.get(State(run.state), run.state)) for run in rows.object_list],
        "has_candidates": form.has_candidates,
        "may_run": policy.can(request.principal, "replay.run", endpoint.project_id),
        "may_set": policy.can(request.principal, "endpoint.edit", endpoint.project_id),
    }


@page(GET="rollout.view")
def replay(request: PageRequest, replay_id: int) -> HttpResponse:
    run = selectors.get_replay(request.principal, replay_id)
    policy.require_endpoint(request.principal, "rollout.view", run.endpoint.project_id, run.endpoint.slug)
    may_see = selectors.may_see_contents(request.principal, run)
    diffs = page_of(request, run.diffs.all(), SHOWN_DIFFS)
    context = {"page": diffs, "rows": rows_of(list(diffs.object_list)), "may_see": may_see, **_context(run)}
    return show(request, "inference/replay.html", context)


@page(GET="rollout.view")
def progress(request: PageRequest, replay_id: int) -> HttpResponse:
    """What the page asks for every second while it runs; once it has ended the whole page is due."""
    run = selectors.get_replay(request.principal, replay_id)
    policy.require_endpoint(request.principal, "rollout.view", run.endpoint.project_id, run.endpoint.slug)
    answer = show(request, "inference/_replay_progress.html", _context(run))
    if run.ended_at is not None:
        answer["HX-Refresh"] = "true"
    return answer


def _context(run: ReplayRun) -> dict[str, Any]:
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    return {
        "run": run,
        "endpoint": run.endpoint,
        "is_active": run.ended_at is None,
        "look": LOOKS.get(State(run.state), run.state),
        "n_alike": Counts(run.n_requests, run.n_disagreed, run.n_failed).n_alike,
        "tolerated_bp": round(run.tolerated * 10_000),
        "seconds": seconds,
    }
