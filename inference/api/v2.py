"""`/v2` apart from predictions (`predict.py`): what there is, and whether it is ready (Open Inference Protocol)."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.predict import ProtocolView
from inference.api.served import routes_for, served, why_not_ready
from inference.protocol import v2
from inference.protocol.configuration import model_config
from inference.routing.snapshot import Route, VersionRef
from inference.scheduling.scheduler import N_CORES
from inference.serving.follower import follower
from portal.lib.errors import Unavailable
from portal.lib.version import VERSION


class PublicV2View(ProtocolView):
    """For load balancers: says nothing about any model, so it asks for no token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class ServerMetadata(PublicV2View):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(v2.server_metadata(VERSION))


class ServerLive(PublicV2View):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"live": True})


class ServerReady(PublicV2View):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        ready = follower().sequence >= 0
        return Response({"ready": ready, "live": True}, status=200 if ready else 503)


class EndpointNames(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(operation_id="v2_models_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"models": [route.slug for route in routes_for(request)]})


class EndpointMetadata(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = served(request, slug, version)
        numbers = sorted(item.number for item in versions)
        return Response(v2.metadata(route.slug, [str(number) for number in numbers], versions[0].signature))


class EndpointReady(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = served(request, slug, version)
        for item in versions:
            if why := why_not_ready(route, item):
                raise Unavailable(f"“{route.slug}” is not ready: {why}.", code="not_ready", retry_after=10)
        return Response({"name": route.slug, "ready": True})


class EndpointConfiguration(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = served(request, slug, version)
        return Response(_config(route, versions))


def _config(route: Route, versions: list[VersionRef]) -> dict[str, object]:
    main = versions[0]
    size = main.batch_size if route.batch_size is None else min(route.batch_size, main.batch_size)
    return model_config(
        route.slug,
        main.signature,
        max_batch_size=size if size > 1 else 0,
        batch_delay_us=round(route.batch_delay * 1e6) if size > 1 else None,
        n_instances=1 if main.isolated else N_CORES,
        versions=sorted(item.number for item in versions),
        parameters={"model": route.model_name, "runs": "isolated" if main.isolated else "in_process"},
    )
