"""`/api/v1/models/{name}/compare`: two versions side by side."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from portal.lib.errors import InvalidInput
from registry import selectors
from registry.api.base import ManagementView
from registry.comparison import compare
from registry.models import ModelVersion

PARAMETERS = [
    OpenApiParameter("a", OpenApiTypes.INT, required=True, description="The version before."),
    OpenApiParameter("b", OpenApiTypes.INT, required=True, description="The version after."),
    OpenApiParameter("only", OpenApiTypes.STR, enum=["differences"], description="Leave out what is the same."),
]


class VersionComparison(ManagementView):
    actions = {"GET": "model.view"}
    serializer_class = Serializer

    @extend_schema(parameters=PARAMETERS, responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, name: str) -> Response:
        # Before the query is looked at: who may not see the model learns nothing of it.
        selectors.get_model(self.principal, name)
        before, after = (self._version(request, name, key) for key in ("a", "b"))
        only = request.query_params.get("only") == "differences"
        return Response(compare(before, after).as_json(only_differences=only))

    def _version(self, request: Request, name: str, key: str) -> ModelVersion:
        number = request.query_params.get(key, "")
        if not (number.isascii() and number.isdecimal()) or len(number) > 10:
            raise InvalidInput(_("Say which two versions: ?a=1&b=2."), code="invalid_version", details={"field": key})
        return selectors.get_version(self.principal, name, int(number))
