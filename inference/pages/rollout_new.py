"""Starting a rollout: the form, and what each stage is going to take at the traffic of now."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpResponse
from django.utils.translation import gettext as _

from inference.models import Endpoint
from inference.pages import selectors_pages
from inference.pages.arms import arms_of
from inference.pages.contract import contract_of, require_force
from inference.pages.rollout_forms import RolloutForm
from inference.pages.rollout_steps import Forecast, Pace, forecast, pace_at
from inference.rollouts.machine import Stage
from inference.rollouts.services import create_rollout
from inference.selectors.endpoints import get_endpoint
from inference.selectors.rollouts import planned_rollout
from portal.lib.errors import PortalError
from portal.lib.words import percent
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show


class Line(NamedTuple):
    """One stage of the forecast; `until` are the seconds from the start to its end, None where no traffic comes."""

    title: str
    stage: Stage
    found: Forecast
    until: float | None


@page(GET="rollout.operate", POST="rollout.operate")
def new(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "rollout.operate", endpoint.project_id, slug)
    form, status, code = _form(request, endpoint), 200, ""
    if request.method == "POST" and "forecast" not in request.POST:
        status = 400
        if form.is_valid():
            try:
                rollout = create_rollout(request.principal, endpoint, form.plan)
            except PortalError as error:
                status, code = blame(form, error), error.code
            else:
                return go(request, "rollout", rollout.pk, said=_("The rollout has begun."))
    elif form.is_bound:
        form.is_valid()
        form.errors.clear()
    return show(
        request, "inference/rollout_new.html", {**_context(endpoint, form), **_contract(form, endpoint, code)}, status
    )


def _contract(form: RolloutForm, endpoint: Endpoint, code: str) -> dict[str, Any]:
    chosen = str(form["candidate"].value() or "")
    candidates = [version for version in form.versions if str(version.number) == chosen]
    contract = contract_of(endpoint, candidates, code)
    require_force(form, contract)
    return contract


def _form(request: PageRequest, endpoint: Endpoint) -> RolloutForm:
    """Bound to what was typed, also where only the forecast is asked for."""
    live = {arm.version for arm in arms_of(endpoint.live_split) if arm.weight_bp}
    offered = [version for version in selectors_pages.offered_versions(endpoint.model) if version.number not in live]
    typed = request.POST if request.method == "POST" else request.GET if "stages_of" in request.GET else None
    asked = request.GET.get("candidate", "")
    initial = {"candidate": asked if asked.isdecimal() else next((version.number for version in offered), None)}
    initial |= {"preset": request.GET.get("preset", "canary")}
    return RolloutForm(typed, versions=offered, initial=initial)


def _context(endpoint: Endpoint, form: RolloutForm) -> dict[str, Any]:
    pace = pace_at(endpoint)
    lines = lines_of(form.whole, pace, judged=form.chosen.policy == "evidence")
    return {
        "endpoint": endpoint,
        "form": form,
        "arms": arms_of(endpoint.live_split),
        "whole": sum(arm.weight_bp > 0 for arm in arms_of(endpoint.live_split)) == 1,
        "has_candidates": bool(form.fields["candidate"].choices),  # type: ignore[attr-defined]
        "running": planned_rollout(endpoint),
        "pace": pace,
        "lines": lines,
        "total": lines[-1].until if lines else 0.0,
    }


def lines_of(stages: list[Stage], pace: Pace, *, judged: bool = True) -> list[Line]:
    lines: list[Line] = []
    passed: float | None = 0.0
    for stage in stages:
        found = forecast(stage, pace) if judged else Forecast(stage.n_min, stage.bake_seconds)
        passed = None if passed is None or found.seconds is None else passed + found.seconds
        lines.append(Line(_title(stage), stage, found, passed))
    return lines


def _title(stage: Stage) -> str:
    if stage.kind == "shadow":
        return _("Shadow")
    share = percent(stage.weight_bp)
    return _("Hold-back %(share)s") % {"share": share} if stage.kind == "holdback" else share
