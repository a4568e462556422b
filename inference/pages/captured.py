"""Captured requests of an endpoint: the list, and one with what was asked and answered."""

from __future__ import annotations

from django.http import HttpResponse

from inference.pages.tensor_rows import tensors_of
from inference.selectors.endpoints import get_endpoint
from inference.selectors.records import captured_of, captured_versions, get_captured
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import show
from registry.pages.selectors_pages import page_of


@page(GET="capture.view")
def captured(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "capture.view", endpoint.project_id, slug)
    versions = captured_versions(endpoint)
    asked = request.GET.get("version", "")
    version = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
    context = {
        "endpoint": endpoint,
        "page": page_of(request, captured_of(endpoint, version)),
        "versions": versions,
        "version": version,
        "may_edit": policy.can(request.principal, "endpoint.edit", endpoint.project_id),
    }
    return show(request, "inference/captured.html", context)


@page(GET="capture.view")
def captured_request(request: PageRequest, slug: str, record_id: int) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "capture.view", endpoint.project_id, slug)
    record = get_captured(endpoint, record_id)
    context = {
        "endpoint": endpoint,
        "record": record,
        "outcome": next(iter(record.outcomes.all()), None),
        "outputs": tensors_of(record.outputs),
    }
    return show(request, "inference/captured_request.html", context)
