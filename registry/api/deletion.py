"""`/api/v1/models/{name}/versions/{n}/archive` and `/restore`, and what a DELETE's body says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry import selectors
from registry.api.base import ManagementView
from registry.api.serializers import VersionSerializer
from registry.models import ModelVersion
from registry.services import deletion


class DeletionReason(serializers.Serializer[Any]):
    """Missing where nobody has to give one; what it has to be is said by the service."""

    reason = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


def reason_of(request: Request) -> str:
    """A DELETE may come without a body."""
    return str(request.data.get("reason", "")) if isinstance(request.data, dict) else ""


class _VersionAct(ManagementView):
    actions = {"POST": "version.archive"}
    serializer_class = VersionSerializer
    act: Callable[..., ModelVersion]

    @extend_schema(request=DeletionReason)
    def post(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(self.principal, name, number)
        reason = self.checked(DeletionReason, request).get("reason", "")
        type(self).act(self.principal, version, reason=reason)
        return Response(VersionSerializer(selectors.get_version(self.principal, name, number)).data)


class VersionArchive(_VersionAct):
    act = staticmethod(deletion.archive_version)


class VersionRestore(_VersionAct):
    act = staticmethod(deletion.restore_version)
