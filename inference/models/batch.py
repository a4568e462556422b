"""Offline scoring. These rows are the truth of a job; a Celery message only says that there is something to do."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.models.endpoints import Endpoint
from registry.models import ModelVersion, Project


class JobStatus(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    SUCCEEDED_WITH_ERRORS = "succeeded_with_errors", _("Succeeded with errors")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


class BatchJob(models.Model):
    """One file to score. The version is pinned at submit; files are named by digest in the job store.

    `layout` says how the file's columns become the model's inputs (`inference/batch/layout.py`). It stands once the
    file is cut, and so does `n_rows`. `n_done + n_failed` rows are through. Who cuts or finishes holds token and lease.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSONL"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    endpoint = models.ForeignKey(Endpoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="jobs")
    format = models.CharField(max_length=8, choices=Format)
    status = models.CharField(max_length=24, choices=JobStatus, default=JobStatus.QUEUED)
    file_name = models.CharField(max_length=255, blank=True)
    input_sha256 = models.CharField(max_length=64)
    input_size = models.BigIntegerField()
    output_sha256 = models.CharField(max_length=64, blank=True)
    output_size = models.BigIntegerField(default=0)
    errors_sha256 = models.CharField(max_length=64, blank=True)
    layout = models.JSONField(default=dict, blank=True)
    n_rows = models.BigIntegerField(null=True, blank=True)
    n_done = models.BigIntegerField(default=0)
    n_failed = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    idempotency_key = models.CharField(max_length=128, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)
    token = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="idempotency_key_once_per_user",
            )
        ]
        indexes = [models.Index(fields=["status", "created_at"], name="job_by_status")]

    def __str__(self) -> str:
        return self.file_name or str(self.id)

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE


class BatchChunk(models.Model):
    """A run of rows, `[first_row, first_row + n_rows)`, at bytes `[start, end)` of the input, from `first_line` on.

    A worker claims it by adding 1 to `token` and setting a lease; only who still holds that token may finish it.
    `deaths` lists the row ranges `[from, to)`, counted from `first_row`, that a worker was computing when it died.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")

    job = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="chunks")
    first_row = models.BigIntegerField()
    n_rows = models.PositiveIntegerField()
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    first_line = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    token = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    deaths = models.JSONField(default=list, blank=True)
    n_failed = models.PositiveIntegerField(default=0)
    output_sha256 = models.CharField(max_length=64, blank=True)
    errors_sha256 = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["first_row"]
        constraints = [models.UniqueConstraint(fields=["job", "first_row"], name="chunk_once_per_job")]
        indexes = [
            models.Index(fields=["job", "first_row"], condition=models.Q(status="queued"), name="chunk_to_claim"),
            models.Index(fields=["lease_expires_at"], condition=models.Q(status="running"), name="chunk_under_lease"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} rows {self.first_row}-{self.first_row + self.n_rows - 1}"
