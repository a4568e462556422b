"""`/v2`: the Open Inference Protocol as DRF views: door two for predictions, and the protocol's other routes.

Under gunicorn the prediction lane (`inference/serving/lane.py`) answers the infer routes before they get here.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inference.protocol import v2
from inference.routing.snapshot import Route, VersionRef, read_version
from inference.serving.blocking import InPlace, run_in_place
from inference.serving.dataplane import find_route
from inference.serving.follower import Follower, follower
from inference.serving.http import Answer, answer_infer, call_from, error_answer
from inference.serving.sessions import session_pool
from portal.lib.errors import NotFound, PortalError, TooLarge, Unavailable
from portal.lib.version import VERSION
from registry.access.principal import Principal
from registry.api.schema import BEARER

_IN_PLACE = InPlace()


def to_django(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        response[name.decode("ascii").title()] = value.decode("ascii")
    return response


class V2View(APIView):
    """Errors are answered as V2 has them (`portal/api.py`): `{"error": "<one sentence>", "code", "request_id"}`."""

    actions: ClassVar[dict[str, str]] = {}


class PublicV2View(V2View):
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


class EndpointMetadata(V2View):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = _served(request, slug, version)
        numbers = sorted({str(item.number) for item in versions}, key=int)
        return Response(v2.metadata(route.slug, numbers, versions[0].signature))


class EndpointReady(V2View):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = _served(request, slug, version)
        if version is None and not all(session_pool().get(item.sha256) for item in versions):
            raise Unavailable("The versions of this endpoint are being loaded.", code="loading", retry_after=1)
        return Response({"name": route.slug, "ready": True})


def _served(request: Request, slug: str, version: str | None) -> tuple[Route, list[VersionRef]]:
    """The endpoint's route and the versions that answer there, the largest share first; or just the pinned one."""
    serving: Follower = follower()
    serving.wait_fresh(2.0)
    route = find_route(serving, cast(Principal, request.user), slug)
    if version is not None:
        pinned = read_version(route.model_id, int(version)) if version.isascii() and version.isdigit() else None
        if pinned is None:
            raise NotFound(f"“{slug}” has no ready version {version[:20]}.", code="version_not_found")
        return route, [pinned]
    if route.split is None:
        raise Unavailable(f"Nothing is served at “{slug}” yet: promote a version to it.", code="nothing_promoted")
    weights = route.split.weights()
    arms = sorted(route.targets.values(), key=lambda target: -weights.get(target.variant, 0))
    return route, [target.version for target in arms]


class Infer(V2View):
    """The handler itself asks for the token, so that both doors do the same."""

    actions = {"POST": "endpoint.predict"}
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT, auth=[{BEARER: []}])  # type: ignore[list-item]
    def post(self, request: Request, slug: str, version: str | None = None) -> HttpResponse:
        django_request = request._request
        request_id = django_request.META["HTTP_X_REQUEST_ID"]
        headers = {name.lower(): value for name, value in django_request.headers.items()}
        try:
            body = _body(django_request)
            call = call_from(slug, version, headers, body)
            answer = run_in_place(answer_infer(call, request_id, _IN_PLACE))
        except PortalError as error:
            answer = error_answer(error, request_id)
        return to_django(answer)


def _body(request: Any) -> bytes:
    limit = settings.PORTAL_MAX_BODY_BYTES
    body: bytes = request.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than the limit of {limit} bytes: send fewer rows at once.")
    return body
