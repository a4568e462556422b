"""`/api/v1/uploads`: a file in parts, each with its SHA-256, in any order, resumed at any time."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput, NotFound
from registry import selectors
from registry.access.principal import Principal
from registry.api.base import ManagementView
from registry.models import Project, Upload, UploadPart
from registry.services import upload_parts, uploads
from registry.upload_selectors import my_upload, my_uploads

_SHA_256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


class PartSerializer(serializers.ModelSerializer[UploadPart]):
    class Meta:
        model = UploadPart
        fields = ["number", "sha256", "size"]


class UploadFacts(serializers.ModelSerializer[Upload]):
    """`sha256` is that of the whole once it is complete, before that the one which the caller announced, if any."""

    project = serializers.CharField(source="project.slug", read_only=True)
    n_parts = serializers.SerializerMethodField()
    sha256 = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = [
            "id",
            "project",
            "file_name",
            "size",
            "part_size",
            "n_parts",
            "state",
            "sha256",
            "created_at",
            "touched_at",
        ]

    def get_n_parts(self, upload: Upload) -> int:
        return uploads.n_parts(upload)

    def get_sha256(self, upload: Upload) -> str:
        return upload.digest or upload.sha256


class UploadSerializer(UploadFacts):
    """With the parts that are there, 10 000 at most."""

    parts = PartSerializer(many=True, read_only=True)

    class Meta(UploadFacts.Meta):
        fields = [*UploadFacts.Meta.fields, "parts"]


class UploadRow(UploadFacts):
    """Of a list: how much is there, without the parts."""

    n_received = serializers.IntegerField(read_only=True)
    received_bytes = serializers.IntegerField(read_only=True)

    class Meta(UploadFacts.Meta):
        fields = [*UploadFacts.Meta.fields, "n_received", "received_bytes"]


class UploadInput(serializers.Serializer[Any]):
    """`model` names the one that the file is for, where that exists already: its project counts."""

    size = serializers.IntegerField(max_value=2**62)
    file_name = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    sha256 = serializers.CharField(required=False, max_length=64)
    part_size = serializers.IntegerField(required=False)
    project = serializers.CharField(required=False, max_length=64)
    model = serializers.CharField(required=False, max_length=128)


class CompleteInput(serializers.Serializer[Any]):
    sha256 = serializers.CharField(required=False, max_length=64)


class BundledUpload(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255, trim_whitespace=False)
    upload = serializers.UUIDField()


class VersionOfUploads(serializers.Serializer[Any]):
    """One `upload`, or several as `files` of a bundle: the ONNX file, and the data files by the names in its graph."""

    upload = serializers.UUIDField(required=False)
    files = BundledUpload(many=True, required=False, allow_empty=False)
    file_name = serializers.CharField(required=False, allow_blank=True, max_length=255)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    tags = serializers.JSONField(required=False)
    metrics = serializers.JSONField(required=False)
    manifest = serializers.JSONField(required=False)
    lineage = serializers.JSONField(required=False)
    signature = serializers.JSONField(required=False)


class RawBytes(BaseParser):
    """Never called: a part is read from the request itself. It says which bodies are taken: any."""

    media_type = "*/*"


class UploadList(ManagementView, ListAPIView[Upload]):
    actions = {"GET": "version.upload", "POST": "version.upload"}
    serializer_class = UploadRow
    queryset = Upload.objects.none()
    filter_backends = []

    def get_queryset(self) -> QuerySet[Upload]:
        return my_uploads(self.principal)

    @extend_schema(request=UploadInput, responses={201: UploadSerializer})
    def post(self, request: Request) -> Response:
        wish = self.checked(UploadInput, request)
        project = _project(self.principal, wish.pop("model", ""), wish.pop("project", None))
        upload = uploads.begin(self.principal, project, uploads.Wish(**wish))
        return Response(UploadSerializer(upload).data, status=status.HTTP_201_CREATED)


def _project(principal: Principal, model: str, slug: str | None) -> Project:
    if model and slug is None:
        try:
            return selectors.get_model(principal, model).project
        except NotFound:
            pass
    return selectors.get_project(principal, slug)


class UploadDetail(ManagementView):
    actions = {"GET": "version.upload", "DELETE": "version.upload"}
    serializer_class = UploadSerializer

    def get(self, request: Request, upload_id: UUID) -> Response:
        return Response(UploadSerializer(my_upload(self.principal, upload_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, upload_id: UUID) -> Response:
        uploads.abort(self.principal, my_upload(self.principal, upload_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UploadPartDetail(ManagementView):
    actions = {"PUT": "version.upload"}
    serializer_class = PartSerializer
    parser_classes = [RawBytes]

    @extend_schema(
        request={"application/octet-stream": OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("Content-Digest", str, OpenApiParameter.HEADER, description="sha-256=:base64: (RFC 9530)"),
            OpenApiParameter("X-Content-SHA256", str, OpenApiParameter.HEADER, description="the same in hexadecimal"),
        ],
    )
    def put(self, request: Request, upload_id: UUID, number: int) -> Response:
        upload = my_upload(self.principal, upload_id)
        sent = request._request
        part = upload_parts.put_part(
            self.principal, upload, number, sent.read, _length(sent.META), _announced(sent.headers)
        )
        return Response(PartSerializer(part).data)


class UploadComplete(ManagementView):
    actions = {"POST": "version.upload"}
    serializer_class = UploadSerializer

    @extend_schema(request=CompleteInput)
    def post(self, request: Request, upload_id: UUID) -> Response:
        upload = my_upload(self.principal, upload_id)
        wish = self.checked(CompleteInput, request)
        return Response(UploadSerializer(uploads.complete(self.principal, upload, wish.get("sha256", ""))).data)


def _length(meta: Any) -> int | None:
    text = meta.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _announced(headers: Any) -> str:
    """The part's digest as the caller has it, in hexadecimal; empty where he says none."""
    plain = headers.get("X-Content-SHA256", "").strip().lower()
    field = headers.get("Content-Digest", "")
    found = _SHA_256.search(field)
    if field and found is None:
        raise _bad_digest()
    try:
        decoded = base64.b64decode(found[1], validate=True).hex() if found else plain
    except binascii.Error:
        raise _bad_digest() from None
    if plain and decoded != plain:
        raise InvalidInput(_("Content-Digest and X-Content-SHA256 differ: send one."), code="invalid_digest")
    return uploads.check_digest(decoded) if decoded else ""


def _bad_digest() -> InvalidInput:
    return InvalidInput(
        _("Content-Digest has to hold sha-256=:…: with the digest in base64 (RFC 9530)."), code="invalid_digest"
    )
