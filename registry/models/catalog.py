"""What exists: registered models, their immutable versions, and the movable names of versions."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.access import Project
from registry.models.names import validate_alias, validate_model_name


class RegisteredModel(models.Model):
    """`deleted_at`: gone for everybody, its name free again; the row stays for the history that refers to it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="models")
    name = models.CharField(_("name"), max_length=128, validators=[validate_model_name])
    description = models.TextField(_("description"), blank=True, max_length=20_000)
    tags = models.JSONField(default=dict, blank=True)
    last_number = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at=None), name="model_name_once_among_the_living"
            )
        ]
        indexes = [models.Index(fields=["-updated_at"], name="model_by_update")]

    def __str__(self) -> str:
        return self.name


class VersionStatus(models.TextChoices):
    RECEIVING = "receiving", _("Receiving")
    VALIDATING = "validating", _("Validating")
    READY = "ready", _("Ready")
    REJECTED = "rejected", _("Rejected")
    ARCHIVED = "archived", _("Archived")


class ModelVersion(models.Model):
    """An uploaded artifact. `sha256` names its bytes in the artifact store; they never change.

    A version of several files (weights beside the graph) lists them in `files` as `{"name", "sha256", "size"}`, the
    ONNX file first; its own digest then covers that list (`registry/artifacts/model_files.py`). `seal` holds the
    portal's signature over the digest, and the uploader's. `manifest` is what travels with the model: labels,
    scaling, layout. `lineage` says where it comes from. `deleted_at`: gone for everybody, its bytes freed by the sweep.

    `report` is the validation's report as JSON (`registry/artifacts/report.py`), `steps` how far validation has come.
    Whoever validates renews `validation_alive_at` every few seconds.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=VersionStatus, default=VersionStatus.VALIDATING)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()
    file_name = models.CharField(max_length=255, blank=True)
    files = models.JSONField(default=list, blank=True)
    seal = models.JSONField(default=dict, blank=True)
    manifest = models.JSONField(default=dict, blank=True)
    lineage = models.JSONField(default=dict, blank=True)
    signature = models.JSONField(null=True, blank=True)
    report = models.JSONField(default=dict, blank=True)
    steps = models.JSONField(default=list, blank=True)
    description = models.TextField(_("description"), blank=True, max_length=20_000)
    tags = models.JSONField(default=dict, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    validation_alive_at = models.DateTimeField(null=True, blank=True)
    validation_tries = models.PositiveSmallIntegerField(default=0)
    validated_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="version_number_once_per_model"),
            models.UniqueConstraint(
                fields=["model", "sha256"],
                condition=models.Q(status__in=["receiving", "validating", "ready"], deleted_at=None),
                name="same_bytes_once_per_model",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "created_at"], name="version_by_status"),
            # For the search: of a signature it asks for containment only, of tags also which names there are.
            GinIndex(fields=["tags"], name="version_by_tags"),
            GinIndex(fields=["signature"], opclasses=["jsonb_path_ops"], name="version_by_signature"),
        ]

    def __str__(self) -> str:
        return f"{self.model.name} v{self.number}"


class VersionMetric(models.Model):
    """One number of `ModelVersion.metrics`, again in a row of its own: the search compares them, and JSON has no order.

    Written wherever `metrics` is (`registry/services/version_metrics.py`).
    """

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="metric_rows")
    name = models.CharField(max_length=250)
    value = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "name"], name="metric_once_per_version")]
        indexes = [models.Index(fields=["name", "value"], name="metric_by_value")]

    def __str__(self) -> str:
        return f"{self.version} {self.name}={self.value}"


class ModelAlias(models.Model):
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(_("alias"), max_length=64, validators=[validate_alias])
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="aliases")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="alias_once_per_model")]

    def __str__(self) -> str:
        return f"{self.model.name}@{self.name}"
