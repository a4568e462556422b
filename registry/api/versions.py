"""`/api/v1/models/{name}/versions`: uploading, reading, downloading."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput
from registry import selectors
from registry.access import policy
from registry.api.base import ManagementView
from registry.api.filters import VersionFilter
from registry.api.serializers import VersionChange, VersionSerializer, VersionUpload
from registry.models import ModelVersion
from registry.services import versions
from registry.services.artifacts import artifact_store
from registry.services.receiving import raise_upload_error


class VersionList(ManagementView, ListAPIView[ModelVersion]):
    actions = {"GET": "model.view", "POST": "version.upload"}
    serializer_class = VersionSerializer
    filterset_class = VersionFilter
    queryset = ModelVersion.objects.none()
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return selectors.versions_of(selectors.get_model(self.principal, self.kwargs["name"]))

    @extend_schema(request=VersionUpload, responses={202: VersionSerializer})
    def post(self, request: Request, name: str) -> Response:
        model = selectors.get_model(self.principal, name)
        # Before the body is read: who may not upload does not fill the disk first.
        policy.require(self.principal, "version.upload", model.project_id)
        file = request.FILES.get("file")
        raise_upload_error(request._request)
        if file is None:
            raise InvalidInput(_("Send the model as the multipart field “file”."), details={"field": "file"})
        form = request.POST
        version = versions.upload_version(
            self.principal,
            model,
            file,
            file_name=file.name or "",
            description=form.get("description", ""),
            tags=_object(form.get("tags"), "tags"),
            metrics=_object(form.get("metrics"), "metrics"),
        )
        return Response(VersionSerializer(version).data, status=status.HTTP_202_ACCEPTED)


def _object(text: str | None, field: str) -> Any:
    """A form field that holds a JSON object."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise InvalidInput(
            _("“%(field)s” has to be a JSON object.") % {"field": field}, details={"field": field}
        ) from None


class VersionDetail(ManagementView):
    actions = {"GET": "model.view", "PATCH": "version.edit"}
    serializer_class = VersionSerializer

    def get(self, request: Request, name: str, number: int) -> Response:
        return Response(VersionSerializer(selectors.get_version(self.principal, name, number)).data)

    @extend_schema(request=VersionChange)
    def patch(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(self.principal, name, number)
        changed = versions.edit_version(self.principal, version, self.checked(VersionChange, request))
        return Response(VersionSerializer(changed).data)


class VersionDownload(ManagementView):
    actions = {"GET": "version.download"}

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, name: str, number: int) -> FileResponse:
        version = selectors.get_version(self.principal, name, number)
        return FileResponse(
            artifact_store().open(version.sha256),
            as_attachment=True,
            filename=f"{name}-v{number}.onnx",
            content_type="application/octet-stream",
        )
