"""Rollouts as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inference.models import Rollout, RolloutEvent, RolloutStage
from inference.rollouts.outlook import evidence_json, headline, next_of


class RolloutInput(serializers.Serializer[Any]):
    """The plan: a preset, and what is to be otherwise. Further options stand in docs/rollouts.md."""

    candidate = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    preset = serializers.CharField(max_length=30, required=False)
    stages = serializers.ListField(child=serializers.DictField(), required=False, allow_null=True)
    shadow = serializers.JSONField(required=False, allow_null=True)
    holdback = serializers.JSONField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=2000)
    force = serializers.BooleanField(required=False)
    draft = serializers.BooleanField(required=False)


class CommandInput(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2000)
    force = serializers.BooleanField(required=False)


class RehearsalSerializer(serializers.Serializer[Any]):
    seconds = serializers.FloatField()
    processes = serializers.IntegerField()
    acknowledged = serializers.IntegerField()


class StageSerializer(serializers.ModelSerializer[RolloutStage]):
    class Meta:
        model = RolloutStage
        fields = [
            "index",
            "kind",
            "weight_bp",
            "bake_seconds",
            "n_min",
            "delta",
            "needs_approval",
            "began_at",
            "ended_at",
        ]


class EventSerializer(serializers.ModelSerializer[RolloutEvent]):
    class Meta:
        model = RolloutEvent
        fields = [
            "number",
            "at",
            "event",
            "state_from",
            "state_to",
            "position",
            "seq",
            "actor_name",
            "reason",
            "sentence",
            "evidence",
        ]


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """`stage` is the index of the present stage, null before the first. `evidence` is the last look's."""

    endpoint = serializers.CharField(source="endpoint.slug", read_only=True)
    stable = serializers.IntegerField(source="stable.number", read_only=True)
    candidate = serializers.IntegerField(source="candidate.number", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    stage = serializers.SerializerMethodField()
    weight_bp = serializers.SerializerMethodField()
    stages = StageSerializer(many=True, read_only=True)
    events = EventSerializer(many=True, read_only=True)
    evidence = serializers.SerializerMethodField()
    next = serializers.SerializerMethodField()
    headline = serializers.SerializerMethodField()

    class Meta:
        model = Rollout
        fields = [
            "id",
            "endpoint",
            "stable",
            "candidate",
            "preset",
            "state",
            "stage",
            "weight_bp",
            "lock_version",
            "headline",
            "next",
            "evidence",
            "stages",
            "events",
            "options",
            "reason",
            "why",
            "created_by",
            "created_at",
            "started_at",
            "ended_at",
        ]

    def get_stage(self, rollout: Rollout) -> int | None:
        return rollout.position if rollout.position >= 0 else None

    def get_weight_bp(self, rollout: Rollout) -> int:
        """What the candidate gets now."""
        if rollout.has_ended or rollout.position < 0:
            return 10_000 if rollout.state == "promoted" else 0
        return next((stage.weight_bp for stage in rollout.stages.all() if stage.index == rollout.position), 0)

    def get_evidence(self, rollout: Rollout) -> dict[str, Any]:
        return evidence_json(rollout)

    def get_next(self, rollout: Rollout) -> dict[str, Any]:
        found = next_of(rollout)
        return {"sentence": found.sentence, "at": found.at, "code": found.code}

    def get_headline(self, rollout: Rollout) -> str:
        return headline(rollout)
