"""`/api/v1/models/{name}/golden`: requests whose answers are known, and how versions answered them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from inference.golden import services
from inference.models import GoldenRequest, GoldenRun
from inference.selectors.golden import get_golden, golden_of, runs_of
from portal.lib.errors import InvalidInput, NotFound
from registry.api.base import ManagementView
from registry.models import ModelVersion
from registry.selectors import get_model, get_version


class GoldenSerializer(serializers.ModelSerializer[GoldenRequest]):
    """`recorded_from` is the version whose answer it was, null where somebody wrote it down."""

    recorded_from = serializers.IntegerField(source="recorded_from.number", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = GoldenRequest
        fields = ["id", "name", "request", "expected", "rtol", "atol", "recorded_from", "created_by", "created_at"]


class GoldenInput(serializers.Serializer[Any]):
    """`request` is a V2 body. `expected` are the V2 output tensors that it has to be answered with; or `record_from` is
    the number of the version whose answer of now is kept. A number passes when `|got - expected| <= atol + rtol *
    |expected|`."""

    name = serializers.CharField(max_length=services.MOST_NAME)
    request = serializers.JSONField()
    expected = serializers.JSONField(required=False, allow_null=True)
    record_from = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1, allow_null=True)
    rtol = serializers.FloatField(required=False, min_value=0)
    atol = serializers.FloatField(required=False, min_value=0)


class GoldenRunSerializer(serializers.ModelSerializer[GoldenRun]):
    """`results` has one row for each request: whether it `passed`, a `sentence`, and where it differs the element that
    is furthest off: `output`, `index`, `got`, `expected`, and how many of how many values are wrong."""

    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = GoldenRun
        fields = ["id", "version", "occasion", "set_digest", "n_requests", "n_failed", "results", "created_at"]


class AskedSerializer(serializers.Serializer[Any]):
    n_requests = serializers.IntegerField()


class GoldenList(ManagementView, ListAPIView[GoldenRequest]):
    actions = {"GET": "model.view", "POST": "golden.edit"}
    serializer_class = GoldenSerializer
    filterset_class = None
    queryset = GoldenRequest.objects.none()

    def get_queryset(self) -> QuerySet[GoldenRequest]:
        return golden_of(get_model(self.principal, self.kwargs["name"]))

    @extend_schema(request=GoldenInput, responses={201: GoldenSerializer})
    def post(self, request: Request, name: str) -> Response:
        model = get_model(self.principal, name)
        wanted = self.checked(GoldenInput, request)
        number = wanted.pop("record_from", None)
        version = None if number is None else self._version(name, number)
        row = services.add_golden(self.principal, model, record_from=version, **wanted)
        return Response(GoldenSerializer(row).data, status=status.HTTP_201_CREATED)

    def _version(self, name: str, number: int) -> ModelVersion:
        try:
            return get_version(self.principal, name, number)
        except NotFound as error:
            raise InvalidInput(str(error), code="unknown_version", details={"field": "record_from"}) from None


class GoldenDetail(ManagementView):
    actions = {"GET": "model.view", "DELETE": "golden.edit"}
    serializer_class = GoldenSerializer

    def get(self, request: Request, name: str, golden_id: int) -> Response:
        return Response(GoldenSerializer(get_golden(get_model(self.principal, name), golden_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, golden_id: int) -> Response:
        services.delete_golden(self.principal, get_golden(get_model(self.principal, name), golden_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class GoldenRunList(ManagementView, ListAPIView[GoldenRun]):
    actions = {"GET": "model.view", "POST": "golden.run"}
    serializer_class = GoldenRunSerializer
    filterset_class = None
    queryset = GoldenRun.objects.none()

    def get_queryset(self) -> QuerySet[GoldenRun]:
        return runs_of(get_version(self.principal, self.kwargs["name"], self.kwargs["number"]))

    @extend_schema(request=None, responses={202: AskedSerializer})
    def post(self, request: Request, name: str, number: int) -> Response:
        """202: a worker runs them; GET shows the result first when it is there."""
        version = get_version(self.principal, name, number)
        n_requests = services.ask_for_run(self.principal, version)
        return Response({"n_requests": n_requests}, status=status.HTTP_202_ACCEPTED)
