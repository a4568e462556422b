"""`/api/v1/outcomes`: what came true, reported after the fact by `request_id`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from inference.models import Outcome
from inference.outcomes import imports, services
from inference.outcomes.summary import summary_of
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import InvalidInput
from registry.api.base import ManagementView
from registry.services.receiving import raise_upload_error


@extend_schema_field(OpenApiTypes.ANY)
class AnyJson(serializers.JSONField):
    pass


class OutcomeItem(serializers.Serializer[Any]):
    """`label` is a value, or a list of them, that the prediction is compared with; `reward` is what the answer was
    worth. `at` says when the truth was known."""

    request_id = serializers.CharField(max_length=128)
    endpoint = serializers.CharField(max_length=64, required=False)
    label = AnyJson(required=False)  # type: ignore[assignment]
    reward = serializers.FloatField(required=False)
    at = serializers.DateTimeField(required=False)


class OutcomeInput(OutcomeItem):
    """One outcome with its `endpoint`, or a list `outcomes` of at most 10 000."""

    request_id = serializers.CharField(max_length=128, required=False)
    outcomes = OutcomeItem(many=True, required=False)


class OutcomeTable(serializers.Serializer[Any]):
    """A CSV file with the columns request_id, label, reward and at."""

    endpoint = serializers.CharField(max_length=64)
    file = serializers.FileField()


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class TallySerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    joined = serializers.IntegerField()
    unknown = serializers.IntegerField()
    repeated = serializers.IntegerField()
    late = serializers.IntegerField()
    rejected = RejectedSerializer(many=True)


class ImportSerializer(TallySerializer):
    """`state` is queued, running, done or failed; then `message` says why. The first 100 rejected rows are listed."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    message = serializers.CharField(required=False)
    endpoint = serializers.CharField()
    file_name = serializers.CharField()
    n_bytes = serializers.IntegerField()
    n_bytes_done = serializers.IntegerField()
    n_rows = serializers.IntegerField()
    n_rejected = serializers.IntegerField()


class Outcomes(ManagementView):
    actions = {"POST": "outcome.report"}
    parser_classes = [*api_settings.DEFAULT_PARSER_CLASSES, MultiPartParser]  # type: ignore[list-item]
    serializer_class = TallySerializer

    @extend_schema(
        request={"application/json": OutcomeInput, "multipart/form-data": OutcomeTable},
        responses={200: TallySerializer, 202: ImportSerializer},
    )
    def post(self, request: Request) -> Response:
        """200 says what became of each; 202 that a large file was stored and is being read."""
        data: Any = request.data
        raise_upload_error(request._request)
        if request.content_type.startswith("multipart/"):
            return self._file(request)
        if "outcomes" not in data:
            return Response(services.report_one(self.principal, data).as_json())
        unknown = sorted(set(data) - {"outcomes", "endpoint"})
        if unknown:
            sentence = _("Beside “outcomes” only “endpoint” may stand, not “%(name)s”.") % {"name": unknown[0][:64]}
            raise InvalidInput(sentence, code="unknown_field")
        return Response(services.report_many(self.principal, data["outcomes"], _text(data.get("endpoint"))).as_json())

    def _file(self, request: Request) -> Response:
        file = request.FILES.get("file")
        if file is None:
            raise InvalidInput(_("Send the outcomes as the multipart field “file”."), details={"field": "file"})
        made = imports.import_file(self.principal, request.POST.get("endpoint", ""), file)
        if made.id is None:
            return Response(made.state)
        location = f"/api/v1/outcomes/imports/{made.id}"
        return Response(made.state, status=status.HTTP_202_ACCEPTED, headers={"Location": location})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class VersionOutcomeSerializer(serializers.Serializer[Any]):
    """`share_right` is null where nothing could be told right or wrong yet, `mean_reward` where no reward came."""

    version = serializers.IntegerField()
    n = serializers.IntegerField()
    n_judged = serializers.IntegerField()
    n_wrong = serializers.IntegerField()
    n_late = serializers.IntegerField()
    n_rewards = serializers.IntegerField()
    share_right = serializers.FloatField(allow_null=True)
    mean_reward = serializers.FloatField(allow_null=True)


class EndpointOutcomes(ManagementView):
    """How right each version was, as far as the truth is known."""

    actions = {"GET": "endpoint.view"}
    serializer_class = VersionOutcomeSerializer
    filterset_class = None
    pagination_class = None
    queryset = Outcome.objects.none()

    @extend_schema(responses=VersionOutcomeSerializer(many=True), filters=False)
    def get(self, request: Request, slug: str) -> Response:
        found = summary_of(get_endpoint(self.principal, slug))
        return Response(VersionOutcomeSerializer(found, many=True).data)


class OutcomeImport(ManagementView):
    actions = {"GET": "outcome.report"}
    serializer_class = ImportSerializer

    def get(self, request: Request, import_id: UUID) -> Response:
        return Response(imports.import_of(self.principal, import_id).state)
