"""Endpoints and their traffic as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inference.models import Endpoint, SplitActivation, TrafficSplit


class ShareSerializer(serializers.Serializer[Any]):
    variant = serializers.CharField(source="variant.key")
    version = serializers.IntegerField(source="variant.version.number")
    weight_bp = serializers.IntegerField()


class LiveSplitSerializer(serializers.ModelSerializer[TrafficSplit]):
    """`buckets` holds `[lo, hi, variant]`: with `salt` a client can tell where its key goes (docs/assignment.md)."""

    shares = ShareSerializer(many=True)
    buckets = serializers.ListField(source="table", child=serializers.ListField())
    salt = serializers.SerializerMethodField()
    assignment = serializers.JSONField()
    rules = serializers.JSONField()

    class Meta:
        model = TrafficSplit
        fields = [
            "revision",
            "shares",
            "buckets",
            "salt",
            "assignment",
            "rules",
            "rollout",
            "experiment",
            "reason",
            "created_at",
        ]

    def get_salt(self, split: TrafficSplit) -> str:
        return split.salt or split.endpoint.salt


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    project = serializers.CharField(source="project.slug", read_only=True)
    model = serializers.CharField(source="model.name", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    live_split = LiveSplitSerializer(allow_null=True, read_only=True)

    class Meta:
        model = Endpoint
        fields = [
            "slug",
            "model",
            "project",
            "description",
            "salt",
            "deadline_ms",
            "batch_size",
            "batch_delay_us",
            "capture_bp",
            "capture_bytes",
            "slo_p99_ms",
            "slo_error_bp",
            "replay_required",
            "unloaded_at",
            "epoch",
            "live_split",
            "created_by",
            "created_at",
        ]


class EndpointInput(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=200, trim_whitespace=False)
    model = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class EndpointChange(serializers.Serializer[Any]):
    """`batch_size` null leaves it to what validation measured; 1 keeps requests apart. `capture_bp` of 10 000 answers
    are kept, of `capture_bytes` at most. `slo_p99_ms` and `slo_error_bp` are objectives for the whole endpoint, null
    for none."""

    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    deadline_ms = serializers.IntegerField(required=False)
    batch_size = serializers.IntegerField(required=False, allow_null=True)
    batch_delay_us = serializers.IntegerField(required=False)
    capture_bp = serializers.IntegerField(required=False)
    capture_bytes = serializers.IntegerField(required=False)
    slo_p99_ms = serializers.IntegerField(required=False, allow_null=True)
    slo_error_bp = serializers.IntegerField(required=False, allow_null=True)
    replay_required = serializers.BooleanField(required=False)


class ReasonInput(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2000)


class ShareInput(serializers.Serializer[Any]):
    """Weights are basis points: 10 000 is all traffic."""

    variant = serializers.CharField(max_length=32)
    version = serializers.IntegerField(min_value=1)
    weight_bp = serializers.IntegerField(min_value=0, max_value=10_000)


class SplitInput(ReasonInput):
    shares = ShareInput(many=True, allow_empty=False)
    assignment = serializers.JSONField(required=False)
    rules = serializers.JSONField(required=False)
    force = serializers.BooleanField(required=False)


class PromoteInput(ReasonInput):
    """`force` overrides `signature_breaking`, `golden_mismatch` and `golden_not_run`; the record then says so."""

    version = serializers.IntegerField(min_value=1)
    force = serializers.BooleanField(required=False)


class RollbackInput(ReasonInput):
    revision = serializers.IntegerField(min_value=1, required=False, allow_null=True)


class ConvergedSerializer(serializers.Serializer[Any]):
    processes = serializers.IntegerField()
    acknowledged = serializers.IntegerField()
    seconds = serializers.FloatField()


class SwitchedSerializer(serializers.Serializer[Any]):
    """`changed` is false when what was asked for was live already."""

    slug = serializers.CharField(source="endpoint.slug")
    epoch = serializers.IntegerField(source="endpoint.epoch")
    live_split = LiveSplitSerializer(source="endpoint.live_split", allow_null=True)
    changed = serializers.BooleanField()
    converged = ConvergedSerializer(source="converged.as_json")


class ActivationSerializer(serializers.ModelSerializer[SplitActivation]):
    class Meta:
        model = SplitActivation
        fields = ["epoch", "kind", "reason", "actor_name", "at", "n_processes", "n_acknowledged", "seconds"]


class SplitSerializer(serializers.ModelSerializer[TrafficSplit]):
    """One revision of the history, with every time that it went live."""

    shares = ShareSerializer(many=True)
    parent = serializers.IntegerField(source="parent.revision", default=None)  # type: ignore[assignment]
    created_by = serializers.CharField(source="created_by.username", default=None)
    live = serializers.SerializerMethodField()
    activations = ActivationSerializer(many=True)

    class Meta:
        model = TrafficSplit
        fields = ["revision", "shares", "reason", "parent", "created_by", "created_at", "live", "activations"]

    def get_live(self, split: TrafficSplit) -> bool:
        return split.pk == split.endpoint.live_split_id
