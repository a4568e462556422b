"""`/api/v1/projects`: a project's limits, its signature policy, its retention rules and what they would do."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput
from registry import selectors
from registry.api.base import ManagementView
from registry.api.project_serializers import PreviewSerializer, ProjectChange, ProjectSerializer
from registry.models import Project
from registry.services.projects import edit_project
from registry.services.retention import DAYS, check_rules, preview

SETTABLE = ("quota_bytes", "max_upload_bytes", "signature_policy", "retention")
RULES = (*DAYS, "keep_last")


class ProjectList(ManagementView, ListAPIView[Project]):
    actions = {"GET": "project.view"}
    serializer_class = ProjectSerializer
    queryset = Project.objects.none()

    def get_queryset(self) -> QuerySet[Project]:
        return selectors.projects_for(self.principal)


class ProjectDetail(ManagementView):
    actions = {"GET": "project.view", "PUT": "project.edit"}
    serializer_class = ProjectSerializer

    def get(self, request: Request, project: str) -> Response:
        return Response(ProjectSerializer(selectors.get_project(self.principal, project)).data)

    @extend_schema(request=ProjectChange)
    def put(self, request: Request, project: str) -> Response:
        """What the body leaves out stays as it is."""
        found = selectors.get_project(self.principal, project)
        changed = edit_project(self.principal, found, _settings(request.data))
        return Response(ProjectSerializer(changed).data)


def _settings(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or set(body) - set(SETTABLE):
        words = {"names": ", ".join(SETTABLE)}
        raise InvalidInput(_("Send an object with any of these: %(names)s.") % words)
    return body


class RetentionPreview(ManagementView):
    actions = {"GET": "project.view"}
    serializer_class = PreviewSerializer

    @extend_schema(parameters=[OpenApiParameter(name, OpenApiTypes.INT) for name in RULES])
    def get(self, request: Request, project: str) -> Response:
        """By the rules in the query, or by the project's own where it names none."""
        found = selectors.get_project(self.principal, project)
        asked = {name: _number(request.query_params[name]) for name in RULES if name in request.query_params}
        rules = check_rules(asked) if asked else None
        return Response(PreviewSerializer(preview(found, rules)).data)


def _number(text: str) -> Any:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
