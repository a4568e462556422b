"""What training scripts tell through the MLflow client: experiments, runs, metrics, logged models and their files."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.access import Project


class TrackingExperiment(models.Model):
    """A name under which runs are collected. `id` is what MLflow calls `experiment_id`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tracking_experiments")
    name = models.CharField(_("name"), max_length=500)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="tracking_experiment_once")]

    def __str__(self) -> str:
        return self.name


class TrackingRun(models.Model):
    """One training run. `status` is MLflow's word; times are the client's own."""

    run_id = models.CharField(primary_key=True, max_length=32)
    experiment = models.ForeignKey(TrackingExperiment, on_delete=models.CASCADE, related_name="runs")
    name = models.CharField(_("name"), max_length=500, blank=True)
    status = models.CharField(max_length=12, default="RUNNING")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    params = models.JSONField(default=dict, blank=True)
    outputs = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name or self.run_id


class TrackingMetric(models.Model):
    """One value of one metric; `timestamp` in milliseconds since the epoch, as the client says it."""

    run = models.ForeignKey(TrackingRun, on_delete=models.CASCADE, related_name="metrics")
    key = models.CharField(max_length=250)
    value = models.FloatField()
    timestamp = models.BigIntegerField()
    step = models.BigIntegerField(default=0)
    model_id = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["run", "key"], name="tracking_metric_by_key"),
            models.Index(fields=["model_id", "key"], name="tracking_metric_by_model"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class LoggedModel(models.Model):
    """What `log_model` makes: a model's files before anybody registers them. `model_id` begins with "m-"."""

    model_id = models.CharField(primary_key=True, max_length=40)
    experiment = models.ForeignKey(TrackingExperiment, on_delete=models.CASCADE, related_name="logged_models")
    run = models.ForeignKey(TrackingRun, null=True, on_delete=models.CASCADE, related_name="logged_models")
    name = models.CharField(_("name"), max_length=500)
    status = models.CharField(max_length=32, default="LOGGED_MODEL_PENDING")
    tags = models.JSONField(default=dict, blank=True)
    params = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class LoggedFile(models.Model):
    """A file that a client put under `path` of the artifact proxy; its bytes lie in the store under `sha256`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="logged_files")
    path = models.CharField(max_length=1000)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["project", "path"], name="logged_file_once")]

    def __str__(self) -> str:
        return self.path
