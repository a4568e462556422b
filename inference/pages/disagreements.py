"""Where a rollout's shadow answered otherwise than stable: the list, and one request with both answers."""

from __future__ import annotations

from django.http import HttpResponse

from inference.models import Disagreement
from inference.pages.tensor_rows import side_by_side
from inference.selectors.records import compared_of, disagreements_of, get_disagreement
from inference.selectors.rollouts import get_rollout
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import show
from registry.pages.selectors_pages import page_of


@page(GET="rollout.view")
def disagreements(request: PageRequest, rollout_id: int) -> HttpResponse:
    """What was asked and answered stands on the next page: it takes more to see callers' data."""
    rollout = get_rollout(request.principal, rollout_id)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Disagreement.Kind.values else ""
    context = {
        "rollout": rollout,
        "page": page_of(request, disagreements_of(rollout, kind)),
        "kind": kind,
        "kinds": Disagreement.Kind.choices,
        "compared": compared_of(rollout),
        "may_look": policy.can(request.principal, "capture.view", rollout.endpoint.project_id),
    }
    return show(request, "inference/disagreements.html", context)


@page(GET="capture.view")
def disagreement(request: PageRequest, rollout_id: int, disagreement_id: int) -> HttpResponse:
    rollout = get_rollout(request.principal, rollout_id)
    endpoint = rollout.endpoint
    policy.require_endpoint(request.principal, "capture.view", endpoint.project_id, endpoint.slug)
    row = get_disagreement(rollout, disagreement_id)
    context = {
        "rollout": rollout,
        "row": row,
        "outputs": side_by_side(row.stable_outputs, row.shadow_outputs),
        "older": disagreements_of(rollout).filter(pk__lt=row.pk).first(),
        "newer": disagreements_of(rollout).filter(pk__gt=row.pk).order_by("pk").first(),
    }
    return show(request, "inference/disagreement.html", context)
