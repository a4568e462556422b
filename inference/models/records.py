"""Answers that were kept, the truth about them that came later, and what a candidate makes of the same requests."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.models.endpoints import Endpoint, TrafficSplit
from inference.models.rollouts import Rollout
from registry.models import ModelVersion


class PredictionRecord(models.Model):
    """One captured answer. `inputs` and `outputs` are V2 JSON text, empty where they were too long to be kept.

    `unit` is the routing key's hash as a signed number; `prediction` is the value that a label is compared with.
    """

    request_id = models.CharField(max_length=128)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="records")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    variant = models.CharField(max_length=32, blank=True)
    split = models.ForeignKey(TrafficSplit, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    unit = models.BigIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    seconds = models.FloatField(default=0)
    inputs = models.TextField(blank=True)
    outputs = models.TextField(blank=True)
    prediction = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["endpoint", "request_id"], name="record_by_request"),
            models.Index(fields=["endpoint", "at"], name="record_by_time"),
        ]

    def __str__(self) -> str:
        return self.request_id


class Outcome(models.Model):
    """The truth about one request: a `label`, a `reward`, or both. `record` is None while no captured answer bears the
    id. `is_wrong` compares the label with the prediction. `taken` is the batch of a rollout's evidence that took it."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="outcomes")
    request_id = models.CharField(max_length=128)
    label = models.JSONField(null=True, blank=True)
    reward = models.FloatField(null=True, blank=True)
    is_wrong = models.BooleanField(null=True, blank=True)
    record = models.ForeignKey(
        PredictionRecord, null=True, blank=True, on_delete=models.SET_NULL, related_name="outcomes"
    )
    received_at = models.DateTimeField()
    matures_at = models.DateTimeField(null=True, blank=True)
    is_late = models.BooleanField(default=False)
    taken = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "request_id"], name="outcome_once")]
        indexes = [models.Index(fields=["endpoint", "taken", "matures_at"], name="outcome_by_maturity")]

    def __str__(self) -> str:
        return self.request_id


class ReplayRun(models.Model):
    """Captured or uploaded requests run through `candidate`, beside what `stable` answers. No traffic is touched."""

    class Source(models.TextChoices):
        CAPTURED = "captured", _("Captured requests")
        FILE = "file", _("Uploaded file")

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")
        EMPTY = "empty", _("Nothing to replay")
        ERROR = "error", _("Error")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="replays")
    stable = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    rollout = models.ForeignKey(Rollout, null=True, blank=True, on_delete=models.CASCADE, related_name="replays")
    source = models.CharField(max_length=10, choices=Source)
    file_sha256 = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    tolerated = models.FloatField(default=0.02)
    n_wanted = models.PositiveIntegerField(default=200)
    n_requests = models.PositiveIntegerField(default=0)
    n_disagreed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_flips = models.PositiveIntegerField(default=0)
    max_abs = models.FloatField(null=True, blank=True)
    sentence = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.endpoint.slug} v{self.stable.number} → v{self.candidate.number}"


class ReplayDiff(models.Model):
    """One replayed request that the two versions answered differently."""

    run = models.ForeignKey(ReplayRun, on_delete=models.CASCADE, related_name="diffs")
    index = models.PositiveIntegerField()
    request_id = models.CharField(max_length=128, blank=True)
    kind = models.CharField(max_length=10)
    max_abs = models.FloatField(null=True, blank=True)
    inputs = models.TextField(blank=True)
    stable_outputs = models.TextField(blank=True)
    candidate_outputs = models.TextField(blank=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="diff_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.index} {self.kind}"
