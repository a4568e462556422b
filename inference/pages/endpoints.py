"""The list of endpoints and one endpoint's page."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from inference.endpoints import services
from inference.models import Endpoint
from inference.outcomes.summary import summary_of
from inference.pages import selectors_pages
from inference.pages.arms import Arm, arms_of
from inference.pages.forms import EndpointForm, ReasonForm
from inference.pages.live import live_context, main_version
from inference.routing.buckets import bucket_of
from inference.routing.split import CompiledSplit, from_json
from inference.selectors.endpoints import activations_of, get_endpoint
from inference.selectors.quarantines import quarantines_at
from inference.selectors.rollouts import came_back_at, planned_rollout, running_experiment
from portal.lib.errors import PortalError
from registry import selectors
from registry.access import policy
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import asked, model_names, order_of, page_of


@page(GET="endpoint.view", POST="endpoint.create")
def endpoints(request: PageRequest) -> HttpResponse:
    models = model_names(request.principal)
    initial = {"model": request.GET.get("model", ""), "slug": request.GET.get("slug", "")}
    form = EndpointForm(request.POST if request.method == "POST" else None, models=models, initial=initial)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                endpoint = _create(request, form.cleaned_data)
            except PortalError as error:
                status = blame(form, error)
            else:
                said = _("“%(slug)s” has its address. Promote a version and it answers.") % {"slug": endpoint.slug}
                return go(request, "endpoint", endpoint.slug, said=said)
    return show(request, "inference/endpoints.html", {"form": form, "models": models, **_list(request)}, status)


def _create(request: PageRequest, data: dict[str, Any]) -> Endpoint:
    model = selectors.get_model(request.principal, data["model"])
    return services.create_endpoint(request.principal, model, data["slug"], description=data["description"])


def _list(request: PageRequest) -> dict[str, Any]:
    search = asked(request, "q")
    sort, order = order_of(request, selectors_pages.ENDPOINT_ORDERS, "slug")
    rows = page_of(request, selectors_pages.endpoints_list(request.principal, search, order))
    rows.object_list = selectors_pages.with_arms(rows.object_list)
    return {"page": rows, "search": search, "sort": sort}


@page(GET="endpoint.view")
def endpoint(request: PageRequest, slug: str) -> HttpResponse:
    found = get_endpoint(request.principal, slug)
    arms = arms_of(found.live_split)
    ready = selectors_pages.ready_versions(found.model)
    offered = selectors_pages.offered_versions(found.model)
    history = page_of(request, activations_of(found), 12)
    locked = {row.version.number for row in quarantines_at(found)}
    for move in history.object_list:
        move.arms = arms_of(move.split)
        move.locked = _locked(move.arms, locked)
    back_to, back_arms = selectors_pages.previous_arms(found, None)
    context = {
        **live_context(found),
        "arms": arms,
        "shown": [arm for arm in arms if arm.weight_bp],
        "page": history,
        "last": selectors_pages.last_activation(found),
        "ready": ready,
        "fresh": _fresh(found, offered, arms),
        "main_version": main_version(ready, arms),
        "back_to": None if _locked(back_arms, locked) else back_to,
        "outcomes": summary_of(found),
        "rollout": planned_rollout(found),
        "experiment": running_experiment(found),
        "may_capture": policy.can(request.principal, "capture.view", found.project_id),
        "back_arms": back_arms,
        "may_deploy": policy.can(request.principal, "endpoint.deploy", found.project_id),
        "may_edit": policy.can(request.principal, "endpoint.edit", found.project_id),
        "may_delete": policy.can(request.principal, "endpoint.delete", found.project_id),
        **where_goes(found, request.GET.get("key", "")),
    }
    return show(request, "inference/endpoint.html", context)


def _fresh(endpoint: Endpoint, offered: list[ModelVersion], arms: list[Arm]) -> ModelVersion | None:
    """The newest version that may take traffic, when it is newer than all that does and did not come back before."""
    newest = offered[0] if offered else None
    live = max((arm.version for arm in arms if arm.weight_bp), default=0)
    if newest is None or newest.number <= live or (endpoint.pk, newest.pk) in came_back_at([endpoint.pk]):
        return None
    return newest


def _locked(arms: list[Arm], locked: set[int]) -> int | None:
    """A quarantined version among those with traffic: nobody can go back there before it is released."""
    return next((arm.version for arm in arms if arm.weight_bp and arm.version in locked), None)


def where_goes(endpoint: Endpoint, key: str) -> dict[str, Any]:
    """Which arm a routing key meets under the live split, by the data plane's own arithmetic."""
    key = key.strip()[:256]
    if not key or endpoint.live_split is None:
        return {"key": key}
    bucket = bucket_of(endpoint.live_split.salt or endpoint.salt, key)
    variant = CompiledSplit(from_json(endpoint.live_split.table)).variant_of(bucket)
    arm = next((arm for arm in arms_of(endpoint.live_split) if arm.key == variant), None)
    return {"key": key, "bucket": bucket, "key_arm": arm}


@page(GET="endpoint.delete", POST="endpoint.delete")
def delete(request: PageRequest, slug: str) -> HttpResponse:
    found = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "endpoint.delete", found.project_id, slug)
    form = ReasonForm(request.POST or None, initial={"epoch": found.epoch})
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                services.delete_endpoint(request.principal, found, reason=form.cleaned_data["reason"])
            except PortalError as error:
                status = blame(form, error)
            else:
                return go(request, "endpoints", said=_("“%(slug)s” answers no more.") % {"slug": slug})
    context = {"endpoint": found, "arms": arms_of(found.live_split), "form": form}
    return show(request, "inference/endpoint_delete.html", context, status)
