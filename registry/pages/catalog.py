"""The list of models, one model's page, and the forms that describe a model and a version."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, PortalError
from registry import selectors
from registry.access import policy
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.describe_forms import ModelForm, VersionForm
from registry.pages.tabs import frame
from registry.search.parsing import KEYS
from registry.services import catalog, versions


@page(GET="model.view")
def models(request: PageRequest) -> HttpResponse:
    search = selectors_pages.asked(request, "q")
    sort, order = selectors_pages.order_of(request, selectors_pages.MODEL_ORDERS, "-updated")
    context: dict[str, Any] = {"search": search, "sort": sort, "keys": KEYS}
    status = 200
    try:
        rows = selectors_pages.models_list(request.principal, search, order)
        context["page"] = (selectors_pages.found_page if search else selectors_pages.page_of)(request, rows)
    except InvalidInput as error:
        context["search_error"], status = error.message, error.status
    return show(request, "registry/models.html", context, status)


@page(GET="model.view")
def model(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    found = selectors_pages.page_of(request, selectors.versions_of(model).defer("report", "steps", "seal"))
    context = {
        **frame(request, model, "model"),
        "page": found,
        "aliases": model.aliases.select_related("version"),
        "metrics": selectors_pages.shown_metrics(found.object_list),
    }
    return show(request, "registry/model.html", context)


@page(GET="model.edit", POST="model.edit")
def edit_model(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    policy.require(request.principal, "model.edit", model.project_id)
    form = ModelForm.of(model, request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid() and not _previews(request):
        try:
            catalog.edit_model(request.principal, model, form.changes())
        except PortalError as error:
            status = blame(form, error)
        else:
            return go(request, "model", name, said=_("The card is saved."))
    elif form.is_bound and form.errors:
        status = 400
    context = {"model": model, "form": form, "preview": _preview(request, form)}
    return show(request, "registry/model_edit.html", context, status)


@page(GET="version.edit", POST="version.edit")
def edit_version(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.edit", version.model.project_id)
    form = VersionForm.of(version, request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid() and not _previews(request):
        try:
            versions.edit_version(request.principal, version, form.changes())
        except PortalError as error:
            status = blame(form, error)
        else:
            return go(request, "version", name, number, said=_("What is said of this version is saved."))
    elif form.is_bound and form.errors:
        status = 400
    context = {"model": version.model, "version": version, "form": form, "preview": _preview(request, form)}
    return show(request, "registry/version_edit.html", context, status)


def _previews(request: PageRequest) -> bool:
    """Whether the button pressed only shows what the Markdown becomes."""
    return "preview" in request.POST


def _preview(request: PageRequest, form: ModelForm | VersionForm) -> str | None:
    return str(form["description"].value() or "") if _previews(request) else None
