"""`/api/v1/jobs`: submitting, watching, cancelling, downloading."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from inference.batch import results, services
from inference.batch.submission import Wish
from inference.models import BatchJob, JobStatus
from inference.selectors import jobs as selectors
from portal.lib.errors import InvalidInput
from registry.api.base import ManagementView
from registry.services.receiving import raise_upload_error

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class JobSerializer(serializers.ModelSerializer[BatchJob]):
    project = serializers.CharField(source="project.slug", read_only=True)
    endpoint = serializers.CharField(source="endpoint.slug", default=None, read_only=True)
    model = serializers.CharField(source="version.model.name", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    error = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    rows_per_second = serializers.SerializerMethodField()
    seconds_left = serializers.SerializerMethodField()

    class Meta:
        model = BatchJob
        fields = [
            "id",
            "status",
            "project",
            "endpoint",
            "model",
            "version",
            "format",
            "file_name",
            "input_size",
            "n_rows",
            "n_done",
            "n_failed",
            "progress",
            "rows_per_second",
            "seconds_left",
            "error",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        ]

    def get_error(self, job: BatchJob) -> dict[str, str] | None:
        return {"code": job.error_code, "message": job.error_message} if job.error_code else None

    def get_progress(self, job: BatchJob) -> float:
        return round(selectors.progress_of(job), 4)

    def get_rows_per_second(self, job: BatchJob) -> float | None:
        return round(selectors.pace_of(job).rows_per_second, 1) if job.is_active else None

    def get_seconds_left(self, job: BatchJob) -> float | None:
        left = selectors.pace_of(job).seconds_left
        return None if left is None else round(left, 1)


class JobInput(serializers.Serializer[Any]):
    """`file`, and either `endpoint` or `model` and `version`. The format is else read off the file's name."""

    file = serializers.FileField(allow_empty_file=True)
    endpoint = serializers.CharField(required=False, allow_blank=True, max_length=64)
    model = serializers.CharField(required=False, allow_blank=True, max_length=128)
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    format = serializers.CharField(required=False, allow_blank=True, max_length=16)


class JobFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=JobStatus.choices)
    endpoint = django_filters.CharFilter(field_name="endpoint__slug")
    model = django_filters.CharFilter(field_name="version__model__name")

    class Meta:
        model = BatchJob
        fields: list[str] = []


class JobList(ManagementView, ListAPIView[BatchJob]):
    actions = {"GET": "job.view", "POST": "job.submit"}
    serializer_class = JobSerializer
    filterset_class = JobFilter
    parser_classes: list[type[BaseParser]] = [MultiPartParser]
    queryset = BatchJob.objects.none()

    def get_queryset(self) -> QuerySet[BatchJob]:
        return selectors.jobs_for(self.principal)

    @extend_schema(
        request={"multipart/form-data": JobInput},
        responses={202: JobSerializer, 200: JobSerializer},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
    )
    def post(self, request: Request) -> Response:
        """202 for a new job; 200 with the job that the same Idempotency-Key made before."""
        missing = "file" not in request.FILES
        raise_upload_error(request._request)
        if missing:
            raise InvalidInput(_("Send the rows as the multipart field “file”."), details={"field": "file"})
        fields = self.checked(JobInput, request)
        file = fields.pop("file")
        key = request.headers.get("Idempotency-Key", "")
        wish = Wish(file_name=file.name or "", idempotency_key=key, **fields)
        submitted = services.submit_job(self.principal, wish, file)
        job = selectors.get_job(self.principal, submitted.job.pk)
        code = status.HTTP_202_ACCEPTED if submitted.created else status.HTTP_200_OK
        return Response(JobSerializer(job).data, status=code, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class JobDetail(ManagementView):
    actions = {"GET": "job.view"}
    serializer_class = JobSerializer

    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(JobSerializer(selectors.get_job(self.principal, job_id)).data)


class JobCancel(ManagementView):
    actions = {"POST": "job.cancel"}
    serializer_class = JobSerializer

    @extend_schema(request=None)
    def post(self, request: Request, job_id: UUID) -> Response:
        job = services.cancel_job(self.principal, selectors.get_job(self.principal, job_id))
        return Response(JobSerializer(job).data)


class JobOutput(ManagementView):
    actions = {"GET": "job.download"}

    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.BINARY, (200, "application/x-ndjson"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, job_id: UUID) -> FileResponse:
        """One line per row of the input, in its order; CSV has a line of names above."""
        job = selectors.get_job(self.principal, job_id)
        return _download(results.open_output(job), f"job-{job.pk}-output.{job.format}", CONTENT_TYPES[job.format])


class JobErrors(ManagementView):
    actions = {"GET": "job.download"}

    @extend_schema(responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: UUID) -> FileResponse:
        """One JSON object per failed row: `row` and `line` counted from 1, `code`, `reason`."""
        job = selectors.get_job(self.principal, job_id)
        return _download(results.open_errors(job), f"job-{job.pk}-errors.jsonl", CONTENT_TYPES["jsonl"])


def _download(file: Any, name: str, content_type: str) -> FileResponse:
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
