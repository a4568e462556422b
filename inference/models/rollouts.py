"""Gradual changes of version: what was planned, how far it has come, what was seen and decided on the way."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.models.endpoints import Endpoint, TrafficSplit
from inference.routing.buckets import new_salt
from registry.models import ModelVersion


class RolloutState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    VALIDATING = "validating", _("Validating")
    SHADOW = "shadow", _("Shadow")
    CANARY = "canary", _("Canary")
    HOLD = "hold", _("Holding")
    PAUSED = "paused", _("Paused")
    HOLDBACK = "holdback", _("Hold-back")
    ROLLING_BACK = "rolling_back", _("Rolling back")
    PROMOTED = "promoted", _("Promoted")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    ABORTED = "aborted", _("Aborted")
    FAILED_VALIDATION = "failed_validation", _("Failed validation")


ENDED = (RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.ABORTED, RolloutState.FAILED_VALIDATION)


class Rollout(models.Model):
    """From `stable` to `candidate` at one endpoint, in the stages of `RolloutStage`.

    `position` is the index of the stage, -1 before the first; `state_before` is where HOLD and PAUSED go back to.
    Every transition adds 1 to `lock_version`. `base_split` was live before, and is where rolling back goes; `epoch` is
    the endpoint's when the rollout last moved its traffic, or when it began. `options` holds the rest of the plan
    (`inference/rollouts/plan.py`). `seq` numbers the batches of evidence taken so far; `evaluated_at` says when a
    controller last looked, and `stage_seconds` and `held_seconds` add up what passed between its looks, so that a clock
    that jumps changes little. A retry of the same pair goes on from the evidence of the one that it `inherits`.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="rollouts")
    stable = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="rollouts")
    preset = models.CharField(max_length=20)
    options = models.JSONField(default=dict)
    salt = models.CharField(max_length=16, default=new_salt, editable=False)
    base_split = models.ForeignKey(TrafficSplit, on_delete=models.PROTECT, related_name="+")
    epoch = models.PositiveBigIntegerField()
    state = models.CharField(max_length=20, choices=RolloutState, default=RolloutState.DRAFT)
    state_before = models.CharField(max_length=20, choices=RolloutState, blank=True)
    position = models.SmallIntegerField(default=-1)
    lock_version = models.PositiveIntegerField(default=0)
    seq = models.PositiveIntegerField(default=0)
    inherits = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    stage_seconds = models.FloatField(default=0)
    held_seconds = models.FloatField(default=0)
    n_calm = models.PositiveSmallIntegerField(default=0)
    evaluated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    why = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=~models.Q(state__in=ENDED), name="one_rollout_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["state"], name="rollout_by_state")]

    def __str__(self) -> str:
        return f"{self.endpoint.slug} v{self.stable.number} → v{self.candidate.number}"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class RolloutStage(models.Model):
    """One step of the plan. `split` is what it made live. `taus` are stable's latencies, as buckets, from the moment on
    when enough of them were known."""

    class Kind(models.TextChoices):
        SHADOW = "shadow", _("Shadow")
        CANARY = "canary", _("Canary")
        HOLDBACK = "holdback", _("Hold-back")

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="stages")
    index = models.SmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    weight_bp = models.PositiveIntegerField(default=0)
    bake_seconds = models.FloatField()
    n_min = models.PositiveIntegerField()
    delta = models.FloatField(default=0.0)
    needs_approval = models.BooleanField(default=False)
    split = models.ForeignKey(TrafficSplit, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    taus = models.JSONField(null=True, blank=True)
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["rollout", "index"], name="stage_once_per_rollout")]

    def __str__(self) -> str:
        return f"{self.rollout_id}/{self.index} {self.kind}"


class EvidenceWindow(models.Model):
    """What one process counted for one variant of one split, between two flushes. (`process`, `seq`) numbers them.

    `is_keyed` tells requests that followed a key from those that were drawn. `n` answers, of which the model spoilt
    `n_bad`; `latency` is of the good ones. `units` lists keys: `[unit, answers, bad ones, seconds]`, of an experiment
    all, of a rollout those with a bad answer. For the variant `shadow`, `n` are pairs and `n_bad` disagreements, and
    `details` counts `flips`, `missing`, `errors`, `dropped` and holds `max_abs`. `taken` is the batch that took it.
    """

    process = models.UUIDField()
    seq = models.BigIntegerField()
    split = models.ForeignKey(TrafficSplit, on_delete=models.CASCADE, related_name="evidence")
    variant = models.CharField(max_length=32)
    is_keyed = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    n = models.PositiveBigIntegerField(default=0)
    n_bad = models.PositiveBigIntegerField(default=0)
    latency = models.JSONField(default=dict)
    units = models.JSONField(default=list)
    details = models.JSONField(default=dict)
    taken = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["process", "seq", "split", "variant", "is_keyed"], name="evidence_window_once"
            )
        ]
        indexes = [models.Index(fields=["split", "taken"], name="evidence_by_split")]

    def __str__(self) -> str:
        return f"{self.split_id} {self.variant} {self.ended_at:%H:%M:%S}"


class BadUnit(models.Model):
    """A key whose first bad answer during this rollout was counted already. `unit` is its hash as a signed number."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="bad_units")
    unit = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rollout", "unit"], name="bad_unit_once")]

    def __str__(self) -> str:
        return f"{self.rollout_id} {self.unit}"


class EvidenceBatch(models.Model):
    """The ledger: one line per batch and test, from which every decision can be computed again.

    `guardrail` is a name of `inference/analysis/guardrails.py`, with its part after a dot. Of `n_c` requests of the
    candidate `k_c` were bad, of `n_s` of stable `k_s`; for keyed requests the `n` are the arms' weights. A batch may
    hold late counts of an earlier stage beside those of the present one.
    """

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="batches")
    seq = models.PositiveIntegerField()
    stage = models.SmallIntegerField()
    guardrail = models.CharField(max_length=20)
    n_c = models.FloatField()
    n_s = models.FloatField()
    k_c = models.PositiveBigIntegerField()
    k_s = models.PositiveBigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["seq", "guardrail"]
        constraints = [models.UniqueConstraint(fields=["rollout", "seq", "stage", "guardrail"], name="batch_once")]

    def __str__(self) -> str:
        return f"{self.rollout_id} #{self.seq} {self.guardrail}"


class AnalysisRun(models.Model):
    """What the controller made of the evidence up to `seq`: append-only. `facts` is all that the decision rests on."""

    class Outcome(models.TextChoices):
        SUCCESSFUL = "successful", _("Successful")
        FAILED = "failed", _("Failed")
        INCONCLUSIVE = "inconclusive", _("Inconclusive")
        ERROR = "error", _("Error")

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="runs")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=RolloutState)
    position = models.SmallIntegerField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    ln_e = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    event = models.CharField(max_length=20, blank=True)
    sentence = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["rollout", "seq"], name="run_by_seq")]

    def __str__(self) -> str:
        return f"{self.rollout_id} #{self.seq} {self.outcome}"


class RolloutEvent(models.Model):
    """One transition: append-only, `number` is the rollout's `lock_version` after it."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="events")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    event = models.CharField(max_length=20)
    state_from = models.CharField(max_length=20, choices=RolloutState)
    state_to = models.CharField(max_length=20, choices=RolloutState)
    position = models.SmallIntegerField()
    seq = models.PositiveIntegerField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    sentence = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="event_once_per_version")]

    def __str__(self) -> str:
        return f"{self.rollout_id} {self.number} {self.event}"


class Disagreement(models.Model):
    """One answer that the shadow would have given differently. Tensors as V2 JSON text, cut off where they are long."""

    class Kind(models.TextChoices):
        NUMERIC = "numeric", _("Numbers differ")
        TOP1 = "top1", _("Other class")
        MISSING = "missing", _("Output missing or of another shape")
        ERROR = "error", _("The shadow failed")

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="disagreements")
    at = models.DateTimeField()
    request_id = models.CharField(max_length=128, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    max_abs = models.FloatField(null=True, blank=True)
    inputs = models.TextField(blank=True)
    stable_outputs = models.TextField(blank=True)
    shadow_outputs = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.rollout_id} {self.kind}"


class Command(models.Model):
    """A write that carried an Idempotency-Key, and what it was answered: the same key gets the same answer again."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    path = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "path", "key"], name="command_once")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
