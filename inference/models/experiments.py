"""Comparisons with a question: which version is better by one metric, among keys that each stay with one arm."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.models.endpoints import Endpoint, TrafficSplit
from inference.routing.buckets import new_salt
from registry.models import ModelVersion


class Experiment(models.Model):
    """`min_effect` is the least difference that matters, in units of the metric; `planned_size` the keys per arm.

    `assignment` is what the key is, as in TrafficSplit. `base_split` was live before, and comes back at the end.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        RUNNING = "running", _("Running")
        CONCLUDED = "concluded", _("Concluded")
        STOPPED = "stopped", _("Stopped")

    class Metric(models.TextChoices):
        ERROR = "error", _("Failed answers")
        LATENCY = "latency", _("Time to answer")
        REWARD = "reward", _("Reward by outcomes")
        AGREEMENT = "agreement", _("Agreement with the truth")

    class Direction(models.TextChoices):
        INCREASE = "increase", _("More is better")
        DECREASE = "decrease", _("Less is better")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(_("name"), max_length=128)
    hypothesis = models.TextField(_("hypothesis"), max_length=2_000)
    metric = models.CharField(_("primary metric"), max_length=10, choices=Metric)
    direction = models.CharField(_("direction"), max_length=10, choices=Direction)
    min_effect = models.FloatField(_("least difference that matters"))
    planned_size = models.PositiveIntegerField(_("planned keys per arm"))
    guardrails = models.JSONField(default=dict, blank=True)
    assignment = models.JSONField(default=dict)
    salt = models.CharField(max_length=16, default=new_salt, editable=False)
    base_split = models.ForeignKey(TrafficSplit, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    lock_version = models.PositiveIntegerField(default=0)
    seq = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    verdict = models.JSONField(default=dict, blank=True)
    conclusion = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=models.Q(state__in=["draft", "running"]),
                name="one_experiment_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentArm(models.Model):
    """The first arm is what the others are compared with."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    key = models.CharField(max_length=32)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    weight_bp = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["experiment", "key"], name="arm_once_per_experiment")]

    def __str__(self) -> str:
        return f"{self.key} · v{self.version.number}"


class ExposedUnit(models.Model):
    """A key that met an arm, and the sums of what it got there. `unit` is the key's hash as a signed number."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="units")
    unit = models.BigIntegerField()
    variant = models.CharField(max_length=32)
    first_at = models.DateTimeField()
    n = models.PositiveBigIntegerField(default=0)
    n_bad = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    n_rewards = models.PositiveIntegerField(default=0)
    reward = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "unit", "variant"], name="exposed_once")]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.unit}"
