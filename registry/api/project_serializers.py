"""Projects, their settings and what their rules would do, as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registry.models import Project, SignaturePolicy
from registry.services.quotas import kept_bytes, largest_upload


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """`kept_bytes` is what counts against the quota; `largest_upload_bytes` what holds in the end."""

    kept_bytes = serializers.SerializerMethodField()
    largest_upload_bytes = serializers.SerializerMethodField()
    retention = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Project
        fields = [
            "slug",
            "name",
            "quota_bytes",
            "kept_bytes",
            "max_upload_bytes",
            "largest_upload_bytes",
            "signature_policy",
            "retention",
            "created_at",
        ]

    def get_kept_bytes(self, project: Project) -> int:
        return kept_bytes(project)

    def get_largest_upload_bytes(self, project: Project) -> int:
        return largest_upload(project)


class RetentionRules(serializers.Serializer[Any]):
    """Any of these; null or left out is off."""

    rejected_days = serializers.IntegerField(required=False, allow_null=True)
    archived_days = serializers.IntegerField(required=False, allow_null=True)
    unserved_days = serializers.IntegerField(required=False, allow_null=True)
    keep_last = serializers.IntegerField(required=False, allow_null=True)


class ProjectChange(serializers.Serializer[Any]):
    """For the schema: the values are checked where they are set."""

    quota_bytes = serializers.IntegerField(required=False, allow_null=True)
    max_upload_bytes = serializers.IntegerField(required=False, allow_null=True)
    signature_policy = serializers.ChoiceField(choices=SignaturePolicy.choices, required=False)
    retention = RetentionRules(required=False)


class PlannedSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    status = serializers.CharField(source="version.status")
    size = serializers.IntegerField(source="version.size")
    act = serializers.ChoiceField(choices=["archive", "delete"])
    rule = serializers.CharField()
    reason = serializers.CharField(source="sentence")


class PreviewSerializer(serializers.Serializer[Any]):
    """`freed_bytes` is what the deletions free at the next sweep; `more` where one run would not do all."""

    planned = PlannedSerializer(many=True)
    freed_bytes = serializers.IntegerField(source="n_bytes")
    more = serializers.BooleanField()
