"""The page of the serving processes: what each has loaded, and what is locked away; and the form that releases it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _

from inference.models import Quarantine
from inference.pages.forms import ReasonForm
from inference.pages.loaded import ORDERS, leased_only, rows_of, totals_of
from inference.quarantine.services import release as release_version
from inference.selectors.quarantines import active_quarantines, quarantine_of
from inference.selectors.serving import live_places, loads_for
from portal.lib.errors import PortalError
from registry import selectors
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import asked, order_of, page_of


class ReleaseForm(ReasonForm):
    epoch = None  # type: ignore[assignment]  # Django's way to take an inherited field out.


@page(GET="endpoint.view")
def sessions(request: PageRequest) -> HttpResponse:
    return show(request, "inference/sessions.html", _context(request))


@page(GET="endpoint.view")
def live(request: PageRequest) -> HttpResponse:
    """What the page asks for every other second."""
    return show(request, "inference/_sessions_live.html", _context(request))


def _context(request: PageRequest) -> dict[str, Any]:
    loads = loads_for(request.principal)
    sort, _field = order_of(request, dict.fromkeys(ORDERS, ""), "name")
    search, wanted = asked(request, "q"), asked(request, "process")
    chosen = [load for load in loads if str(load.process.id) == wanted]
    return {
        "loads": loads,
        "process": chosen[0].process if chosen else None,
        "page": page_of(request, rows_of(chosen or leased_only(loads), search, sort)),
        "totals": totals_of(loads, settings.PORTAL_SESSION_BUDGET_BYTES),
        "quarantines": _quarantines(request),
        "search": search,
        "sort": sort,
    }


def _quarantines(request: PageRequest) -> list[Any]:
    """The rows, each with what still sends the version traffic, and whether this person may release it."""
    rows: list[Any] = list(active_quarantines(request.principal))
    places = live_places(request.principal, [row.version for row in rows])
    for row in rows:
        row.places = places.get(row.version_id, [])
        row.may_release = policy.can(request.principal, "version.release", row.version.model.project_id)
    return rows


@page(GET="version.release", POST="version.release")
def release(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.release", version.model.project_id)
    row = quarantine_of(version)
    if row is None and request.method == "GET":
        return go(request, "sessions", said=_("“%(version)s” is not quarantined any more.") % {"version": version})
    form, status = ReleaseForm(request.POST or None), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                release_version(request.principal, version, form.cleaned_data["reason"])
            except PortalError as error:
                status = blame(form, error)
            else:
                said = _("“%(version)s” is released. Promote it where it should serve.") % {"version": version}
                return go(request, "sessions", said=said)
    return show(request, "inference/version_release.html", _release_context(request, version, row, form), status)


def _release_context(request: PageRequest, version: Any, row: Quarantine | None, form: ReleaseForm) -> dict[str, Any]:
    places = live_places(request.principal, [version]).get(version.pk, [])
    return {"version": version, "model": version.model, "quarantine": row, "places": places, "form": form}
