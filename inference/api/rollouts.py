"""`/api/v1/endpoints/{slug}/rollouts` and `/api/v1/rollouts/{id}`: gradual changes of version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.endpoints import epoch_of
from inference.api.idempotent import once
from inference.api.rollout_serializers import CommandInput, RehearsalSerializer, RolloutInput, RolloutSerializer
from inference.models import Rollout
from inference.rollouts import services
from inference.selectors.endpoints import get_endpoint
from inference.selectors.rollouts import get_rollout, rollouts_for
from registry.api.base import ManagementView

IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The same key gets the same answer."
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description='The `lock_version` that you saw, in quotes: `"4"`. If it has moved on, the answer is 409.',
)


class RolloutView(ManagementView):
    """Answers carry `lock_version` as ETag, ready to be sent back in `If-Match`."""

    serializer_class = RolloutSerializer

    def described(self, rollout: Rollout, code: int = status.HTTP_200_OK) -> Response:
        fresh = get_rollout(self.principal, rollout.pk)
        response = Response(RolloutSerializer(fresh).data, status=code)
        response["ETag"] = f'"{fresh.lock_version}"'
        return response


class RolloutList(RolloutView, ListAPIView[Rollout]):
    actions = {"GET": "rollout.view", "POST": "rollout.operate"}
    filterset_class = None
    queryset = Rollout.objects.none()

    def get_queryset(self) -> QuerySet[Rollout]:
        endpoint = get_endpoint(self.principal, self.kwargs["slug"])
        return rollouts_for(self.principal).filter(endpoint=endpoint)

    @extend_schema(request=RolloutInput, responses={201: RolloutSerializer}, parameters=[IDEMPOTENCY])
    @once
    def post(self, request: Request, slug: str) -> Response:
        endpoint = get_endpoint(self.principal, slug)
        self.checked(RolloutInput, request)
        rollout = services.create_rollout(self.principal, endpoint, dict(request.data))
        return self.described(rollout, status.HTTP_201_CREATED)


class RolloutDetail(RolloutView):
    actions = {"GET": "rollout.view"}

    def get(self, request: Request, rollout_id: int) -> Response:
        return self.described(get_rollout(self.principal, rollout_id))


class RolloutCommand(RolloutView):
    """One command. `force` says that one knows of the evidence of harm."""

    actions = {"POST": "rollout.operate"}
    act: Callable[..., Rollout]
    forcible = False

    @extend_schema(request=CommandInput, responses=RolloutSerializer, parameters=[IDEMPOTENCY, IF_MATCH])
    @once
    def post(self, request: Request, rollout_id: int) -> Response:
        rollout = get_rollout(self.principal, rollout_id)
        said = self.checked(CommandInput, request)
        more: dict[str, Any] = {"force": said.get("force", False)} if self.forcible else {}
        act = type(self).act
        return self.described(
            act(self.principal, rollout, reason=said["reason"], lock_version=epoch_of(request), **more)
        )


class Pause(RolloutCommand):
    act = staticmethod(services.pause)


class Resume(RolloutCommand):
    act = staticmethod(services.resume)
    forcible = True


class Advance(RolloutCommand):
    act = staticmethod(services.advance)
    forcible = True


class Promote(RolloutCommand):
    act = staticmethod(services.promote)
    forcible = True


class Abort(RolloutCommand):
    act = staticmethod(services.abort)


class Start(RolloutView):
    actions = {"POST": "rollout.operate"}

    @extend_schema(request=CommandInput, responses=RolloutSerializer, parameters=[IDEMPOTENCY])
    @once
    def post(self, request: Request, rollout_id: int) -> Response:
        said = self.checked(CommandInput, request)
        return self.described(
            services.start(self.principal, get_rollout(self.principal, rollout_id), reason=said["reason"])
        )


class Rehearse(ManagementView):
    """A roll back without moving anything: how long every process takes to follow."""

    actions = {"POST": "rollout.operate"}
    serializer_class = RehearsalSerializer

    @extend_schema(request=None, responses=RehearsalSerializer)
    def post(self, request: Request, slug: str) -> Response:
        found = services.rehearse(self.principal, get_endpoint(self.principal, slug))
        return Response(RehearsalSerializer(found).data)
