"""Facts of the request path, in windows of time: written by each serving process, read by pages and by judgements."""

from __future__ import annotations

from django.db import models

from inference.models.endpoints import Endpoint
from registry.models import ModelVersion


class MetricWindow(models.Model):
    """What one process counted for one version at one endpoint between `started_at` and `ended_at`.

    A row is written once: (`process`, `seq`) numbers the flushes of a process, so a repeated flush changes nothing.
    `seconds` is the sum of the answers' times, `run_seconds` what the model itself took, `queue_seconds` what they
    waited for it. `latency` maps a bucket of `inference/monitoring/histogram.py`, as text, to its count.
    """

    class Resolution(models.IntegerChoices):
        FLUSH = 0
        MINUTE = 60
        HOUR = 3600

    process = models.UUIDField()
    seq = models.BigIntegerField()
    resolution = models.PositiveSmallIntegerField(choices=Resolution, default=Resolution.FLUSH)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="windows")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="windows")
    variant = models.CharField(max_length=32, blank=True)  # empty where the caller pinned the version
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    n_ok = models.PositiveBigIntegerField(default=0)
    n_caller_errors = models.PositiveBigIntegerField(default=0)
    n_model_errors = models.PositiveBigIntegerField(default=0)
    n_rejected = models.PositiveBigIntegerField(default=0)
    n_rows = models.PositiveBigIntegerField(default=0)
    n_runs = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    queue_seconds = models.FloatField(default=0)
    run_seconds = models.FloatField(default=0)
    latency = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["process", "seq", "resolution", "endpoint", "version", "variant"], name="window_once"
            )
        ]
        indexes = [
            models.Index(fields=["endpoint", "ended_at"], name="window_endpoint_ended"),
            models.Index(fields=["resolution", "ended_at"], name="window_resolution_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id} v{self.version_id} {self.ended_at:%H:%M:%S}"
