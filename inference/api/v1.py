"""`/v1` apart from predictions: the list and the state of endpoints, as KServe V1 and TensorFlow Serving have them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.predict import ProtocolView
from inference.api.served import routes_for, served, why_not_ready
from inference.routing.snapshot import Route, VersionRef


class EndpointNames(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(operation_id="v1_models_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"models": [route.slug for route in routes_for(request)]})


class EndpointStatus(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str) -> Response:
        route, versions = served(request, slug, None)
        states = [_state(route, version) for version in versions]
        ready = all(state["state"] == "AVAILABLE" for state in states)
        return Response({"name": route.slug, "ready": ready, "model_version_status": states})


def _state(route: Route, version: VersionRef) -> dict[str, Any]:
    why = why_not_ready(route, version)
    status = {"error_code": "UNAVAILABLE" if why else "OK", "error_message": why}
    return {"version": str(version.number), "state": "END" if why else "AVAILABLE", "status": status}
