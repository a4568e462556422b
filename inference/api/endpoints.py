"""`/api/v1/endpoints`: where versions are served, and how their traffic moves."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.filters import EndpointFilter
from inference.api.idempotent import once
from inference.api.serializers import (
    EndpointChange,
    EndpointInput,
    EndpointSerializer,
    LiveSplitSerializer,
    PromoteInput,
    ReasonInput,
    RollbackInput,
    SplitInput,
    SplitSerializer,
    SwitchedSerializer,
)
from inference.endpoints import services, switching
from inference.experiments.going_back import roll_back
from inference.models import Endpoint, TrafficSplit
from inference.selectors import endpoints as selectors
from portal.lib.errors import InvalidInput, NotFound
from registry.api.base import ManagementView
from registry.selectors import get_model

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description='The epoch that you saw, in quotes: `"7"`. If it has moved on, the answer is 409 with the state now.',
)


def epoch_of(request: Request) -> int | None:
    """The epoch in `If-Match`, or None when the header is absent or `*`."""
    value = request.META.get("HTTP_IF_MATCH", "").strip()
    if value in ("", "*"):
        return None
    digits = value.removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise InvalidInput(_('If-Match has to be the epoch in quotes, such as "7".'), code="invalid_if_match")
    return int(digits)


class EndpointView(ManagementView):
    """Answers carry the epoch as ETag, ready to be sent back in `If-Match`."""

    def find(self, slug: str) -> Endpoint:
        return selectors.get_endpoint(self.principal, slug)

    def described(self, endpoint: Endpoint, status_code: int = status.HTTP_200_OK) -> Response:
        return _tagged(Response(EndpointSerializer(endpoint).data, status=status_code), endpoint)

    def switched(self, outcome: switching.Switched) -> Response:
        return _tagged(Response(SwitchedSerializer(outcome).data), outcome.endpoint)


def _tagged(response: Response, endpoint: Endpoint) -> Response:
    response["ETag"] = f'"{endpoint.epoch}"'
    return response


class EndpointList(EndpointView, ListAPIView[Endpoint]):
    actions = {"GET": "endpoint.view", "POST": "endpoint.create"}
    serializer_class = EndpointSerializer
    filterset_class = EndpointFilter
    queryset = Endpoint.objects.none()

    def get_queryset(self) -> QuerySet[Endpoint]:
        return selectors.endpoints_for(self.principal)

    @extend_schema(request=EndpointInput, responses={201: EndpointSerializer})
    def post(self, request: Request) -> Response:
        wanted = self.checked(EndpointInput, request)
        try:
            model = get_model(self.principal, wanted["model"])
        except NotFound as error:
            raise InvalidInput(str(error), code="unknown_model", details={"field": "model"}) from None
        endpoint = services.create_endpoint(
            self.principal, model, wanted["slug"], description=wanted.get("description", "")
        )
        return self.described(endpoint, status.HTTP_201_CREATED)


class EndpointDetail(EndpointView):
    actions = {"GET": "endpoint.view", "PATCH": "endpoint.edit", "DELETE": "endpoint.delete"}
    serializer_class = EndpointSerializer

    def get(self, request: Request, slug: str) -> Response:
        return self.described(self.find(slug))

    @extend_schema(request=EndpointChange)
    def patch(self, request: Request, slug: str) -> Response:
        changes: dict[str, Any] = self.checked(EndpointChange, request)
        return self.described(services.edit_endpoint(self.principal, self.find(slug), changes))

    @extend_schema(request=ReasonInput, responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        reason = request.data.get("reason", "") if isinstance(request.data, dict) else ""
        services.delete_endpoint(self.principal, self.find(slug), reason=str(reason))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Split(EndpointView):
    actions = {"GET": "endpoint.view", "PUT": "endpoint.deploy"}
    serializer_class = LiveSplitSerializer

    def get(self, request: Request, slug: str) -> Response:
        endpoint = self.find(slug)
        if endpoint.live_split is None:
            raise NotFound(_("Nothing was promoted to this endpoint yet."), code="nothing_promoted")
        return _tagged(Response({"epoch": endpoint.epoch, **LiveSplitSerializer(endpoint.live_split).data}), endpoint)

    @extend_schema(request=SplitInput, responses=SwitchedSerializer, parameters=[IF_MATCH])
    @once
    def put(self, request: Request, slug: str) -> Response:
        endpoint, wanted = self.find(slug), self.checked(SplitInput, request)
        shares = [
            switching.WantedShare(
                share["variant"], selectors.version_of_endpoint(endpoint, share["version"]), share["weight_bp"]
            )
            for share in wanted["shares"]
        ]
        return self.switched(
            switching.set_split(
                self.principal,
                endpoint,
                shares,
                reason=wanted["reason"],
                epoch=epoch_of(request),
                assignment=wanted.get("assignment"),
                rules=wanted.get("rules"),
                force=wanted.get("force", False),
            )
        )


class SplitHistory(EndpointView, ListAPIView[TrafficSplit]):
    actions = {"GET": "endpoint.view"}
    serializer_class = SplitSerializer
    filterset_class = None
    queryset = TrafficSplit.objects.none()

    def get_queryset(self) -> QuerySet[TrafficSplit]:
        return selectors.splits_of(self.find(self.kwargs["slug"])).select_related("endpoint")


class Promote(EndpointView):
    actions = {"POST": "endpoint.deploy"}
    serializer_class = SwitchedSerializer

    @extend_schema(request=PromoteInput, responses=SwitchedSerializer, parameters=[IF_MATCH])
    @once
    def post(self, request: Request, slug: str) -> Response:
        endpoint, wanted = self.find(slug), self.checked(PromoteInput, request)
        version = selectors.version_of_endpoint(endpoint, wanted["version"])
        return self.switched(
            switching.promote(
                self.principal,
                endpoint,
                version,
                reason=wanted["reason"],
                epoch=epoch_of(request),
                force=wanted.get("force", False),
            )
        )


class Rollback(EndpointView):
    actions = {"POST": "endpoint.deploy"}
    serializer_class = SwitchedSerializer

    @extend_schema(request=RollbackInput, responses=SwitchedSerializer, parameters=[IF_MATCH])
    @once
    def post(self, request: Request, slug: str) -> Response:
        endpoint, wanted = self.find(slug), self.checked(RollbackInput, request)
        return self.switched(
            roll_back(
                self.principal,
                endpoint,
                reason=wanted["reason"],
                revision=wanted.get("revision"),
                epoch=epoch_of(request),
            )
        )
