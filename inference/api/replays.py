"""`/api/v1/endpoints/{slug}/replays`: what a candidate makes of captured or uploaded requests."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from inference.models import ReplayDiff, ReplayRun
from inference.replay import selectors, services
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import InvalidInput
from registry.access import policy
from registry.api.base import ManagementView
from registry.services.receiving import raise_upload_error


class ReplaySerializer(serializers.ModelSerializer[ReplayRun]):
    """`state` is queued, running, passed, failed, empty or error, and `sentence` says why."""

    endpoint = serializers.CharField(source="endpoint.slug", read_only=True)
    stable = serializers.IntegerField(source="stable.number", read_only=True)
    candidate = serializers.IntegerField(source="candidate.number", read_only=True)
    rollout = serializers.IntegerField(source="rollout_id", default=None, read_only=True)
    state = serializers.CharField(read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = ReplayRun
        fields = [
            "id",
            "endpoint",
            "stable",
            "candidate",
            "rollout",
            "source",
            "file_name",
            "state",
            "sentence",
            "tolerated",
            "n_wanted",
            "n_requests",
            "n_disagreed",
            "n_failed",
            "n_flips",
            "max_abs",
            "created_by",
            "created_at",
            "started_at",
            "ended_at",
        ]


class ReplayDiffSerializer(serializers.ModelSerializer[ReplayDiff]):
    class Meta:
        model = ReplayDiff
        fields = ["index", "request_id", "kind", "max_abs", "inputs", "stable_outputs", "candidate_outputs"]


class ReplayDetailSerializer(ReplaySerializer):
    """`diffs` are the first 100 requests that were answered differently. What callers sent and were answered is null
    for who may not see captured requests."""

    diffs = serializers.SerializerMethodField()

    class Meta(ReplaySerializer.Meta):
        fields = [*ReplaySerializer.Meta.fields, "diffs"]

    @extend_schema_field(ReplayDiffSerializer(many=True))
    def get_diffs(self, run: ReplayRun) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = list(ReplayDiffSerializer(run.diffs.all(), many=True).data)
        if self.context["may_see_contents"]:
            return rows
        hidden = {"inputs": None, "stable_outputs": None, "candidate_outputs": None}
        return [{**row, **hidden} for row in rows]


class ReplayInput(serializers.Serializer[Any]):
    """`file`, if any, holds one V2 request body per line; else the newest captured requests are replayed."""

    candidate = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    n_wanted = serializers.IntegerField(required=False, min_value=1, max_value=services.MOST_WANTED)
    tolerated = serializers.FloatField(required=False, min_value=0, max_value=1)
    file = serializers.FileField(required=False, allow_empty_file=True)


class ReplayList(ManagementView, ListAPIView[ReplayRun]):
    actions = {"GET": "rollout.view", "POST": "replay.run"}
    parser_classes = [*api_settings.DEFAULT_PARSER_CLASSES, MultiPartParser]  # type: ignore[list-item]
    serializer_class = ReplaySerializer
    filterset_class = None
    queryset = ReplayRun.objects.none()

    def get_queryset(self) -> QuerySet[ReplayRun]:
        return selectors.replays_of(get_endpoint(self.principal, self.kwargs["slug"]))

    @extend_schema(
        request={"application/json": ReplayInput, "multipart/form-data": ReplayInput},
        responses={202: ReplaySerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """202: it is queued, and its address tells when it has ended."""
        endpoint = get_endpoint(self.principal, slug)
        # Before the body is read: who may not replay does not fill the disk first.
        policy.require_endpoint(self.principal, "replay.run", endpoint.project_id, endpoint.slug)
        has_file = "file" in request.FILES
        raise_upload_error(request._request)
        if request.content_type.startswith("multipart/") and not has_file:
            raise InvalidInput(_("Send the requests as the multipart field “file”."), details={"field": "file"})
        wanted = self.checked(ReplayInput, request)
        run = services.start_replay(self.principal, endpoint, wanted.pop("candidate"), **wanted)
        headers = {"Location": f"/api/v1/replays/{run.pk}"}
        return Response(ReplaySerializer(run).data, status=status.HTTP_202_ACCEPTED, headers=headers)


class ReplayDetail(ManagementView):
    actions = {"GET": "rollout.view"}
    serializer_class = ReplayDetailSerializer

    def get(self, request: Request, replay_id: int) -> Response:
        run = selectors.get_replay(self.principal, replay_id)
        context = {"may_see_contents": selectors.may_see_contents(self.principal, run)}
        return Response(ReplayDetailSerializer(run, context=context).data)
