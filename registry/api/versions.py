"""`/api/v1/models/{name}/versions`: uploading, reading, downloading."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from portal.lib.errors import InvalidInput
from registry import selectors
from registry.access import policy
from registry.api.base import ManagementView
from registry.api.deletion import DeletionReason, reason_of
from registry.api.filters import VersionFilter
from registry.api.serializers import VersionChange, VersionSerializer, VersionUpload
from registry.api.uploads import VersionOfUploads
from registry.models import ModelVersion, RegisteredModel
from registry.services import deletion, quotas, upload_versions, versions
from registry.services.downloads import download_for
from registry.services.receiving import raise_upload_error
from registry.services.upload_versions import NamedUpload
from registry.services.versions import About

JSON = "application/json"
# The fields of the form that hold a JSON object.
OBJECTS = ("tags", "metrics", "manifest", "lineage", "signature")


class VersionList(ManagementView, ListAPIView[ModelVersion]):
    actions = {"GET": "model.view", "POST": "version.upload"}
    serializer_class = VersionSerializer
    filterset_class = VersionFilter
    queryset = ModelVersion.objects.none()
    parser_classes = [*api_settings.DEFAULT_PARSER_CLASSES, MultiPartParser]  # type: ignore[list-item]

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return selectors.versions_of(selectors.get_model(self.principal, self.kwargs["name"]))

    @extend_schema(
        request={"multipart/form-data": VersionUpload, "application/json": VersionOfUploads},
        responses={202: VersionSerializer},
    )
    def post(self, request: Request, name: str) -> Response:
        model = selectors.get_model(self.principal, name)
        # Before the body is read: who may not upload does not fill the disk first.
        policy.require(self.principal, "version.upload", model.project_id)
        is_json = (request.content_type or "").partition(";")[0].strip().lower() == JSON
        version = self._of_uploads(request, model) if is_json else self._of_file(request, model)
        return Response(VersionSerializer(version).data, status=status.HTTP_202_ACCEPTED)

    def _of_file(self, request: Request, model: RegisteredModel) -> ModelVersion:
        file = request.FILES.get("file")
        raise_upload_error(request._request)
        if file is None:
            raise InvalidInput(_("Send the model as the multipart field “file”."), details={"field": "file"})
        quotas.check_size(model.project, file.size or 0)
        quotas.check_quota(model.project, file.size or 0)
        form = request.POST
        facts = {name: _object(form.get(name), name) for name in OBJECTS}
        about = About(file_name=file.name or "", description=form.get("description", ""), **facts)
        return versions.upload_version(self.principal, model, file, about)

    def _of_uploads(self, request: Request, model: RegisteredModel) -> ModelVersion:
        wish, sent = self.checked(VersionOfUploads, request), dict(request.data)
        about = About(
            file_name=wish.get("file_name", ""),
            description=wish.get("description", ""),
            **{name: sent.get(name) for name in OBJECTS},
        )
        return upload_versions.version_of_uploads(self.principal, model, _named(wish), about)


def _named(wish: dict[str, Any]) -> list[NamedUpload]:
    """`upload` for one file, `files` for a bundle."""
    if ("upload" in wish) == ("files" in wish):
        raise InvalidInput(
            _("Name either “upload”, or “files” with a name and an upload each."), details={"field": "upload"}
        )
    if "upload" in wish:
        return [NamedUpload("", wish["upload"])]
    return [NamedUpload(item["name"], item["upload"]) for item in wish["files"]]


def _object(text: str | None, field: str) -> Any:
    """A form field that holds a JSON object."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise InvalidInput(
            _("“%(field)s” has to be a JSON object.") % {"field": field}, details={"field": field}
        ) from None


class VersionDetail(ManagementView):
    actions = {"GET": "model.view", "PATCH": "version.edit", "DELETE": "version.delete"}
    serializer_class = VersionSerializer

    def get(self, request: Request, name: str, number: int) -> Response:
        return Response(VersionSerializer(selectors.get_version(self.principal, name, number)).data)

    @extend_schema(request=VersionChange)
    def patch(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(self.principal, name, number)
        changed = versions.edit_version(self.principal, version, self.checked(VersionChange, request))
        return Response(VersionSerializer(changed).data)

    @extend_schema(request=DeletionReason, responses={204: None})
    def delete(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(self.principal, name, number)
        deletion.delete_version(self.principal, version, reason=reason_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class VersionDownload(ManagementView):
    actions = {"GET": "version.download"}

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, name: str, number: int) -> StreamingHttpResponse:
        """One file as it is; a bundle as a zip of its files."""
        found = download_for(self.principal, selectors.get_version(self.principal, name, number))
        headers = {"Content-Disposition": content_disposition_header(True, found.name) or ""}
        if found.size is not None:
            headers["Content-Length"] = str(found.size)
        return StreamingHttpResponse(found.chunks, content_type=found.content_type, headers=headers)
