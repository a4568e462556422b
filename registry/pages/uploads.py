"""The upload page: a file, or a model with its data files, becomes the next version of the named model.

With JavaScript the files come in parts by `/api/v1/uploads` first, and the form names their uploads; without it the
form carries the files themselves.
"""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from registry import selectors
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.upload_forms import UploadForm
from registry.services import catalog, quotas, upload_versions, uploads, versions
from registry.services.receiving import raise_upload_error
from registry.services.upload_versions import NamedUpload
from registry.services.versions import About
from registry.upload_selectors import my_upload, my_uploads

N_UNFINISHED_SHOWN = 5


@page(GET="version.upload", POST="version.upload")
def upload(request: PageRequest) -> HttpResponse:
    posted = request.method == "POST"
    sent = (request.POST, request.FILES) if posted else ()
    form = UploadForm(*sent, initial=_initial(request), user_id=request.principal.user_id)
    status = 200
    if posted:
        status = 400
        try:
            raise_upload_error(request)
            if form.is_valid():
                version = _register(request, form)
                return go(request, "version", version.model.name, version.number)
        except PortalError as error:
            status = _blame(form, error)
    context = {
        "form": form,
        "model_names": selectors_pages.model_names(request.principal),
        "unfinished": _unfinished(request.principal),
    }
    return show(request, "registry/upload.html", context, status)


@page(POST="version.upload")
def discard(request: PageRequest, upload_id: UUID) -> HttpResponse:
    found = my_upload(request.principal, upload_id)
    uploads.abort(request.principal, found)
    return go(request, "upload", said=_("The unfinished upload is discarded."))


# Where a refusal that names no field of the form belongs.
FIELDS = {"lineage": "parent", "files": "file", "signature_required": "signature"}


def _blame(form: UploadForm, error: PortalError) -> int:
    field = FIELDS.get(error.details.get("field", error.code))
    if field is None:
        return blame(form, error)
    form.add_error(field, _("This model has no version of that number.") if field == "parent" else error.message)
    return error.status


def _initial(request: PageRequest) -> dict[str, str]:
    return {"model": request.GET.get("model", "")[:128]}


def _unfinished(principal: Principal) -> list[dict[str, Any]]:
    """What the same file, chosen again, goes on with; `share` is what is there already, 0 to 1."""
    found: Any = my_uploads(principal)[:N_UNFINISHED_SHOWN]
    return [{"upload": item, "share": item.received_bytes / item.size} for item in found]


# A refused upload leaves no empty model behind.
@transaction.atomic
def _register(request: PageRequest, form: UploadForm) -> ModelVersion:
    said = form.cleaned_data
    model = _model_named(request.principal, said["model"])
    about = About(
        **{name: said[name] for name in ("description", "tags", "metrics", "manifest")},
        lineage=form.lineage(),
        signature=form.signed(),
    )
    if said["uploads"]:
        wanted = [NamedUpload("", upload_id) for upload_id in said["uploads"]]
        return upload_versions.version_of_uploads(request.principal, model, wanted, about)
    return _of_files(request, model, about)


def _of_files(request: PageRequest, model: RegisteredModel, about: About) -> ModelVersion:
    files = request.FILES.getlist("file")
    quotas.check_size(model.project, max(file.size or 0 for file in files))
    quotas.check_quota(model.project, sum(file.size or 0 for file in files))
    if len(files) > 1:
        return upload_versions.version_of_files(request.principal, model, files, about)
    about = dataclasses.replace(about, file_name=files[0].name or "")
    return versions.upload_version(request.principal, model, files[0], about)


def _model_named(principal: Principal, name: str) -> RegisteredModel:
    try:
        return selectors.get_model(principal, name)
    except NotFound:
        project = selectors.get_project(principal, None)
        # Before the record's lock, which creating a model takes.
        quotas.hold_project(project.pk)
        return catalog.create_model(principal, project, name)
