"""The record of who did what, when and why."""

from __future__ import annotations

from django.http import HttpResponse

from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import show

FILTERS = ("actor", "action", "object")


@page(GET="audit.view")
def audit(request: PageRequest) -> HttpResponse:
    filters = {name: selectors_pages.asked(request, name) for name in FILTERS}
    rows = selectors_pages.audit_list(request.principal, filters)
    context = {
        "page": selectors_pages.page_of(request, rows, 50),
        "filters": filters,
        "filtered": any(filters.values()),
        "actions": selectors_pages.audit_actions(request.principal),
    }
    return show(request, "registry/audit.html", context)
