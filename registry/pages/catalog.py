"""The list of models and one model's page."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import PortalError
from registry import selectors
from registry.access import policy
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.forms import DescriptionForm
from registry.services import catalog


@page(GET="model.view")
def models(request: PageRequest) -> HttpResponse:
    search = selectors_pages.asked(request, "q")
    sort, order = selectors_pages.order_of(request, selectors_pages.MODEL_ORDERS, "-updated")
    rows = selectors_pages.models_list(request.principal, search, order)
    context = {"page": selectors_pages.page_of(request, rows), "search": search, "sort": sort}
    return show(request, "registry/models.html", context)


@page(GET="model.view")
def model(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    versions = selectors_pages.page_of(request, selectors.versions_of(model))
    context = {
        "model": model,
        "page": versions,
        "aliases": model.aliases.select_related("version"),
        "counts": selectors_pages.model_counts(model),
        "may_edit": policy.can(request.principal, "model.edit", model.project_id),
        "may_upload": policy.can(request.principal, "version.upload", model.project_id),
    }
    return show(request, "registry/model.html", context)


@page(GET="model.edit", POST="model.edit")
def edit_model(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    policy.require(request.principal, "model.edit", model.project_id)
    form = DescriptionForm(request.POST or None, initial={"description": model.description})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            catalog.edit_model(request.principal, model, {"description": form.cleaned_data["description"]})
        except PortalError as error:
            status = blame(form, error)
        else:
            return go(request, "model", name, said=_("The description is saved."))
    return show(request, "registry/model_edit.html", {"model": model, "form": form}, status)
