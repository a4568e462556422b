"""Where versions are served: endpoints, their immutable traffic splits, and which split was live when."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.routing.buckets import new_salt
from registry.models import ModelVersion, Project, RegisteredModel
from registry.models.names import validate_slug


class Endpoint(models.Model):
    """The public address of predictions. What is live is a pointer, `live_split`; every move of it adds 1 to `epoch`.

    `changed_sequence` is the routing sequence (`RoutingState`) of the last change that serving processes must know.
    `deadline_ms` is how long a request may take unless it says otherwise. `batch_size` 1 keeps requests apart, None
    leaves it to what validation measured; `batch_delay_us` is how long a request may wait for others to join it.
    While `unloaded_at` is set it answers 503 (V2 `repository/models/{slug}/unload`).

    `capture_bp` of 10 000 answers are kept as PredictionRecord, each of `capture_bytes` at most. `slo_p99_ms` and
    `slo_error_bp` bound the whole endpoint, whichever version answers. `warm_version` stays loaded until `warm_until`,
    so that rolling back to it needs no load. `rehearsal` is the last one: `{"at", "seconds", "processes",
    "acknowledged"}`.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="endpoints")
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="endpoints")
    slug = models.CharField(_("slug"), max_length=64, db_index=True, validators=[validate_slug])
    description = models.TextField(_("description"), blank=True, max_length=20_000)
    salt = models.CharField(max_length=16, default=new_salt, editable=False)
    deadline_ms = models.PositiveIntegerField(_("deadline in milliseconds"), default=30_000)
    batch_size = models.PositiveIntegerField(_("largest batch"), null=True, blank=True)
    batch_delay_us = models.PositiveIntegerField(_("longest wait for a batch in microseconds"), default=0)
    unloaded_at = models.DateTimeField(null=True, blank=True)
    capture_bp = models.PositiveIntegerField(_("captured share"), default=0)
    capture_bytes = models.PositiveIntegerField(_("largest captured request in bytes"), default=65_536)
    slo_p99_ms = models.PositiveIntegerField(_("p99 objective in milliseconds"), null=True, blank=True)
    slo_error_bp = models.PositiveIntegerField(_("error objective"), null=True, blank=True)
    replay_required = models.BooleanField(_("rollouts have to pass a replay"), default=False)
    warm_version = models.ForeignKey(ModelVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    warm_until = models.DateTimeField(null=True, blank=True)
    rehearsal = models.JSONField(null=True, blank=True)
    epoch = models.PositiveBigIntegerField(default=0)
    live_split = models.ForeignKey("TrafficSplit", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    last_revision = models.PositiveIntegerField(default=0)
    changed_sequence = models.BigIntegerField(default=0, db_index=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=models.Q(deleted_at=None), name="slug_once_among_the_living"
            )
        ]

    def __str__(self) -> str:
        return self.slug


class Variant(models.Model):
    """A version served at an endpoint under a key: stable, canary, ..."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=32)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="variants")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "key", "version"], name="variant_once")]

    def __str__(self) -> str:
        return f"{self.key} · v{self.version.number}"


class TrafficSplit(models.Model):
    """Who gets how much: one immutable revision. `table` is the bucket table (`inference/routing/split.py`) as JSON.

    `parent` is the split that was live when this one was made: rolling back goes there.

    How a request finds its variant stands here too. `rules` come first; `assignment` says what the key is; `salt`, the
    endpoint's own where it is empty, makes its bucket (`inference/routing/assignment.py`). Where `rollout` or
    `experiment` made the split, its answers are counted as evidence. `mirror_bp` of 10 000 answers are repeated by
    `shadow_version`, after they were given.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="splits")
    revision = models.PositiveIntegerField()
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    table = models.JSONField()
    salt = models.CharField(max_length=16, blank=True)
    assignment = models.JSONField(default=dict, blank=True)
    rules = models.JSONField(default=list, blank=True)
    rollout = models.ForeignKey("Rollout", null=True, blank=True, on_delete=models.CASCADE, related_name="splits")
    experiment = models.ForeignKey("Experiment", null=True, blank=True, on_delete=models.CASCADE, related_name="splits")
    shadow_version = models.ForeignKey(ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    mirror_bp = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "revision"], name="revision_once_per_endpoint")]

    def __str__(self) -> str:
        return f"{self.endpoint.slug} r{self.revision}"


class TrafficShare(models.Model):
    split = models.ForeignKey(TrafficSplit, on_delete=models.CASCADE, related_name="shares")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="shares")
    weight_bp = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["split", "variant"], name="share_once_per_split"),
            models.CheckConstraint(condition=models.Q(weight_bp__lte=10_000), name="share_at_most_all"),
        ]

    def __str__(self) -> str:
        return f"{self.variant} · {self.weight_bp} bp"


class SplitActivation(models.Model):
    """One move of the live pointer: append-only, one row per epoch. The last three fields say how it converged."""

    class Kind(models.TextChoices):
        PROMOTE = "promote", _("Promoted")
        SPLIT = "split", _("Split changed")
        ROLL_BACK = "rollback", _("Rolled back")
        FALL_BACK = "fallback", _("Fell back")
        ROLLOUT = "rollout", _("Rollout moved")
        EXPERIMENT = "experiment", _("Experiment moved")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="activations")
    epoch = models.PositiveBigIntegerField()
    split = models.ForeignKey(TrafficSplit, on_delete=models.PROTECT, related_name="activations")
    kind = models.CharField(max_length=10, choices=Kind)
    reason = models.TextField(blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    n_processes = models.PositiveIntegerField(null=True)
    n_acknowledged = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)

    class Meta:
        ordering = ["-epoch"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "epoch"], name="one_activation_per_epoch")]

    def __str__(self) -> str:
        return f"{self.endpoint.slug} e{self.epoch} {self.kind}"
