"""`/api/v1/models`: registered models and their aliases."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from registry import selectors
from registry.api.base import ManagementView
from registry.api.deletion import DeletionReason, reason_of
from registry.api.filters import ModelFilter
from registry.api.serializers import AliasInput, AliasSerializer, ModelChange, ModelInput, ModelSerializer
from registry.models import ModelVersion, RegisteredModel
from registry.services import aliases, catalog, deletion


class ModelList(ManagementView, ListAPIView[RegisteredModel]):
    actions = {"GET": "model.view", "POST": "model.create"}
    serializer_class = ModelSerializer
    filterset_class = ModelFilter
    queryset = RegisteredModel.objects.none()

    def get_queryset(self) -> QuerySet[RegisteredModel]:
        alive = ModelVersion.objects.filter(model=OuterRef("pk"), deleted_at=None).order_by("-number")
        models = selectors.models_for(self.principal).annotate(newest=Subquery(alive.values("number")[:1]))
        return models.prefetch_related("aliases__version")

    @extend_schema(request=ModelInput, responses={201: ModelSerializer})
    def post(self, request: Request) -> Response:
        wanted = self.checked(ModelInput, request)
        project = selectors.get_project(self.principal, wanted.pop("project", None))
        model = catalog.create_model(self.principal, project, wanted.pop("name"), **wanted)
        return Response(ModelSerializer(model).data, status=status.HTTP_201_CREATED)


class ModelDetail(ManagementView):
    actions = {"GET": "model.view", "PATCH": "model.edit", "DELETE": "model.delete"}
    serializer_class = ModelSerializer

    def get(self, request: Request, name: str) -> Response:
        return Response(ModelSerializer(selectors.get_model(self.principal, name)).data)

    @extend_schema(request=ModelChange)
    def patch(self, request: Request, name: str) -> Response:
        model = selectors.get_model(self.principal, name)
        changed = catalog.edit_model(self.principal, model, self.checked(ModelChange, request))
        return Response(ModelSerializer(changed).data)

    @extend_schema(request=DeletionReason, responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        model = selectors.get_model(self.principal, name)
        deletion.delete_model(self.principal, model, reason=reason_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AliasDetail(ManagementView):
    actions = {"GET": "model.view", "PUT": "alias.set", "DELETE": "alias.set"}
    serializer_class = AliasSerializer

    def get(self, request: Request, name: str, alias: str) -> Response:
        return Response(AliasSerializer(selectors.get_alias(self.principal, name, alias)).data)

    @extend_schema(request=AliasInput)
    def put(self, request: Request, name: str, alias: str) -> Response:
        number: Any = self.checked(AliasInput, request)["version"]
        version = selectors.get_version(self.principal, name, number)
        return Response(AliasSerializer(aliases.set_alias(self.principal, version, alias)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, alias: str) -> Response:
        aliases.delete_alias(self.principal, selectors.get_model(self.principal, name), alias)
        return Response(status=status.HTTP_204_NO_CONTENT)
