"""`/api/v1/serving/sessions` and `/api/v1/quarantines`: what is loaded where, and what may run nowhere."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.serializers import ReasonInput
from inference.models import Quarantine, RuntimeDeath
from inference.quarantine import services
from inference.selectors.quarantines import active_quarantines
from inference.selectors.serving import loads_for
from registry.api.base import ManagementView
from registry.selectors import get_version


class LivePlaceSerializer(serializers.Serializer[Any]):
    endpoint = serializers.CharField(source="slug")
    variant = serializers.CharField(source="key")
    weight_bp = serializers.IntegerField()


class LoadedVersionSerializer(serializers.Serializer[Any]):
    """`endpoints` are those whose live split gives the version traffic."""

    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    endpoints = LivePlaceSerializer(source="places", many=True)


class SessionSerializer(serializers.Serializer[Any]):
    """`isolated`: it runs in a process of its own, which was restarted `restarts` times."""

    sha256 = serializers.CharField()
    versions = LoadedVersionSerializer(many=True)
    memory_bytes = serializers.IntegerField()
    runs = serializers.IntegerField()
    last_used = serializers.DateTimeField(allow_null=True)
    isolated = serializers.BooleanField()
    restarts = serializers.IntegerField()


class ServingProcessSerializer(serializers.Serializer[Any]):
    """`leased`: it may answer now. `n_hidden` sessions belong to projects that you are no member of."""

    id = serializers.UUIDField(source="process.id")
    host = serializers.CharField(source="process.host")
    pid = serializers.IntegerField(source="process.pid")
    started_at = serializers.DateTimeField(source="process.started_at")
    lease_expires_at = serializers.DateTimeField(source="process.lease_expires_at")
    leased = serializers.BooleanField()
    memory_bytes = serializers.IntegerField(source="process.memory_bytes")
    session_bytes = serializers.IntegerField(source="process.session_bytes")
    n_hidden = serializers.IntegerField()
    sessions = SessionSerializer(many=True)


class ServingSerializer(serializers.Serializer[Any]):
    """`session_budget_bytes` is how much the sessions of one process may take before idle ones are unloaded."""

    session_budget_bytes = serializers.IntegerField()
    processes = ServingProcessSerializer(many=True)


class DeathSerializer(serializers.ModelSerializer[RuntimeDeath]):
    """`isolated`: the version's own process ended, and no other request was lost with it."""

    class Meta:
        model = RuntimeDeath
        fields = ["cause", "signal", "isolated", "host", "pid", "at"]


class QuarantineSerializer(serializers.ModelSerializer[Quarantine]):
    project = serializers.CharField(source="version.model.project.slug", read_only=True)
    model = serializers.CharField(source="version.model.name", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    deaths = DeathSerializer(source="version.counted_deaths", many=True, read_only=True)

    class Meta:
        model = Quarantine
        fields = ["project", "model", "version", "reason", "created_at", "deaths"]


class ReleasedSerializer(serializers.ModelSerializer[Quarantine]):
    model = serializers.CharField(source="version.model.name", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    released_by = serializers.CharField(source="released_by.username", default=None, read_only=True)

    class Meta:
        model = Quarantine
        fields = ["model", "version", "reason", "created_at", "released_at", "released_by", "release_reason"]


class Sessions(ManagementView):
    actions = {"GET": "endpoint.view"}
    serializer_class = ServingSerializer

    def get(self, request: Request) -> Response:
        """What each serving process has loaded, as it wrote down within the last second."""
        found = {"session_budget_bytes": settings.PORTAL_SESSION_BUDGET_BYTES, "processes": loads_for(self.principal)}
        return Response(ServingSerializer(found).data)


class QuarantineList(ManagementView, ListAPIView[Quarantine]):
    """Versions that run nowhere until somebody releases them, newest first."""

    actions = {"GET": "model.view"}
    serializer_class = QuarantineSerializer
    queryset = Quarantine.objects.none()

    def get_queryset(self) -> QuerySet[Quarantine]:
        return active_quarantines(self.principal)


class Release(ManagementView):
    actions = {"POST": "version.release"}
    serializer_class = ReleasedSerializer

    @extend_schema(request=ReasonInput, responses=ReleasedSerializer)
    def post(self, request: Request, name: str, number: int) -> Response:
        """The version may be loaded and take traffic again. No traffic moves by this."""
        version = get_version(self.principal, name, number)
        reason = self.checked(ReasonInput, request)["reason"]
        return Response(ReleasedSerializer(services.release(self.principal, version, reason)).data)
