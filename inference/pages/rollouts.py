"""The list of rollouts, and one rollout's cockpit with its live part."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from inference.models import RolloutState
from inference.pages.rollout_view import cockpit, said_aloud
from inference.pages.selectors_pages import rollouts_list
from inference.selectors.endpoints import endpoints_for
from inference.selectors.rollouts import get_rollout
from registry.pages.access import PageRequest, page
from registry.pages.answers import show
from registry.pages.selectors_pages import asked, order_of, page_of

ORDERS = {"started": "pk", "endpoint": "endpoint__slug", "state": "state"}


@page(GET="rollout.view")
def rollouts(request: PageRequest) -> HttpResponse:
    sort, order = order_of(request, ORDERS, "-started")
    state = request.GET.get("state", "")
    state = state if state in RolloutState.values or state == "live" else ""
    search = asked(request, "q")
    context = {
        "page": page_of(request, rollouts_list(request.principal, state, search, order)),
        "sort": sort,
        "state": state,
        "search": search,
        "states": RolloutState.choices,
        "first": endpoints_for(request.principal).exclude(live_split=None).first(),
    }
    return show(request, "inference/rollouts.html", context)


@page(GET="rollout.view")
def rollout(request: PageRequest, rollout_id: int) -> HttpResponse:
    found = get_rollout(request.principal, rollout_id)
    return show(request, "inference/rollout.html", cockpit(request.principal, found))


@page(GET="rollout.view")
def live(request: PageRequest, rollout_id: int) -> HttpResponse:
    """What the page asks for every other second; 204 while it would see what it has seen.

    A change of state is said aloud once: the page sends the `state` that it shows.
    """
    context: dict[str, Any] = cockpit(request.principal, get_rollout(request.principal, rollout_id))
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    context["aloud"] = said_aloud(context) if request.GET.get("state") != context["moment"] else ""
    return show(request, "inference/_rollout_live.html", context)
