"""One version: what it is, what validation found, its aliases."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import PortalError
from registry import selectors
from registry.access import policy
from registry.artifacts.manifest import with_report_labels
from registry.models import ModelVersion, VersionStatus
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.badges import badges_of
from registry.pages.forms import AliasForm
from registry.pages.graph import can_draw
from registry.pages.manifest_words import manifest_parts
from registry.pages.validation import steps_of
from registry.services import aliases

UNDECIDED = (VersionStatus.RECEIVING, VersionStatus.VALIDATING)


def _context(request: PageRequest, version: ModelVersion, **more: Any) -> dict[str, Any]:
    project, report = version.model.project_id, version.report or {}
    return {
        "version": version,
        "model": version.model,
        "signature": version.signature or {},
        "report": report,
        "badges": badges_of(version),
        "manifest": manifest_parts(with_report_labels(version.manifest, report.get("facts", {}))),
        "has_graph": can_draw(version) and policy.can(request.principal, "version.download", project),
        "steps": steps_of(version),
        "undecided": version.status in UNDECIDED,
        "may_edit": policy.can(request.principal, "version.edit", project),
        "may_alias": policy.can(request.principal, "alias.set", project),
        "may_deploy": policy.can(request.principal, "endpoint.deploy", project),
        "may_predict": policy.can(request.principal, "endpoint.predict", project),
        "alias_form": AliasForm(),
        **more,
    }


# The graph stands in a frame.
framing = csp_update({"frame-src": [SELF]})


@framing
@page(GET="model.view")
def version(request: PageRequest, name: str, number: int) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    return show(request, "registry/version.html", _context(request, found))


@page(GET="model.view")
def validation(request: PageRequest, name: str, number: int) -> HttpResponse:
    """What the version's page asks for every second while validation runs; once decided the whole page is due."""
    found = selectors.get_version(request.principal, name, number)
    answer = show(request, "registry/_validation.html", _context(request, found))
    if found.status not in UNDECIDED:
        answer["HX-Refresh"] = "true"
    return answer


@framing
@page(POST="alias.set")
def set_alias(request: PageRequest, name: str, number: int) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    form = AliasForm(request.POST)
    status = 400
    if form.is_valid():
        try:
            alias = aliases.set_alias(request.principal, found, form.cleaned_data["alias"])
        except PortalError as error:
            status = blame(form, error)
        else:
            said = _("“%(alias)s” now names version %(number)s.") % {"alias": alias.name, "number": number}
            return go(request, "version", name, number, said=said)
    return show(request, "registry/version.html", _context(request, found, alias_form=form), status)


@page(POST="alias.set")
def delete_alias(request: PageRequest, name: str, number: int, alias: str) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    aliases.delete_alias(request.principal, found.model, alias)
    said = _("“%(alias)s” names no version any more.") % {"alias": alias}
    return go(request, "version", name, number, said=said)
