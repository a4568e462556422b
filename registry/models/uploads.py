"""Uploads that come in parts and survive a closed tab and a restarted server."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.access import Project
from registry.models.catalog import ModelVersion


class UploadState(models.TextChoices):
    OPEN = "open", _("Open")
    COMPLETE = "complete", _("Complete")
    USED = "used", _("Used")
    ABORTED = "aborted", _("Aborted")


class Upload(models.Model):
    """One file that comes in parts of `part_size` bytes, the last one shorter. Its bytes grow under the id's name.

    `sha256` is what the caller says that the whole has to be, or empty; `digest` what it was found to be. `version` is
    the one that was made of it. `touched_at` is when the last part came: what nobody touches is swept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="uploads")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    file_name = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField()
    part_size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=UploadState, default=UploadState.OPEN)
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="uploads")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "touched_at"], name="upload_by_state")]

    def __str__(self) -> str:
        return f"{self.file_name or self.id}"


class UploadPart(models.Model):
    """A part whose bytes are on disk; `number` counts from 1."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="part_once_per_upload")]

    def __str__(self) -> str:
        return f"{self.upload} part {self.number}"
