"""The upload page: a file and a model's name become the model's next version."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from portal.lib.errors import NotFound, PortalError
from registry import selectors
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.forms import UploadForm
from registry.services import catalog, versions
from registry.services.receiving import raise_upload_error


@page(GET="version.upload", POST="version.upload")
def upload(request: PageRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = UploadForm(request.POST if posted else None, request.FILES if posted else None, initial=_initial(request))
    status = 200
    if posted:
        status = 400
        try:
            raise_upload_error(request)
            if form.is_valid():
                version = _register(request.principal, form.cleaned_data)
                return go(request, "version", version.model.name, version.number)
        except PortalError as error:
            status = blame(form, error)
    context = {"form": form, "model_names": selectors_pages.model_names(request.principal)}
    return show(request, "registry/upload.html", context, status)


def _initial(request: PageRequest) -> dict[str, str]:
    return {"model": request.GET.get("model", "")[:128]}


def _register(principal: Principal, data: dict[str, Any]) -> ModelVersion:
    file = data["file"]
    model = _model_named(principal, data["model"])
    return versions.upload_version(principal, model, file, file_name=file.name or "", description=data["description"])


def _model_named(principal: Principal, name: str) -> RegisteredModel:
    try:
        return selectors.get_model(principal, name)
    except NotFound:
        return catalog.create_model(principal, selectors.get_project(principal, None), name)
