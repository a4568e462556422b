"""The registry's objects as JSON."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.models import ApiToken, AuditEvent, ModelAlias, ModelVersion, RegisteredModel


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    project = serializers.CharField(source="project.slug", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    latest_version = serializers.SerializerMethodField()
    aliases = serializers.SerializerMethodField()

    class Meta:
        model = RegisteredModel
        fields = [
            "name",
            "project",
            "description",
            "tags",
            "latest_version",
            "aliases",
            "created_by",
            "created_at",
            "updated_at",
        ]

    def get_latest_version(self, model: RegisteredModel) -> int:
        """The number of the newest version that is there, whatever its status; 0 where there is none."""
        alive = model.versions.filter(deleted_at=None)
        # A list brings it along.
        found = model.newest if hasattr(model, "newest") else alive.aggregate(newest=Max("number"))["newest"]
        return found or 0

    def get_aliases(self, model: RegisteredModel) -> dict[str, int]:
        return {alias.name: alias.version.number for alias in model.aliases.all()}


class ModelInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200, trim_whitespace=False)
    project = serializers.CharField(max_length=64, required=False)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class ModelChange(serializers.Serializer[Any]):
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class VersionSerializer(serializers.ModelSerializer[ModelVersion]):
    model = serializers.CharField(source="model.name", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    aliases = serializers.SerializerMethodField()
    signature = serializers.SerializerMethodField()
    report = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField()
    manifest = serializers.SerializerMethodField()
    lineage = serializers.SerializerMethodField()
    seal = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "model",
            "number",
            "status",
            "sha256",
            "size",
            "file_name",
            "files",
            "signature",
            "manifest",
            "lineage",
            "seal",
            "report",
            "steps",
            "description",
            "tags",
            "metrics",
            "aliases",
            "created_by",
            "created_at",
            "validated_at",
            "archived_at",
        ]

    def get_aliases(self, version: ModelVersion) -> list[str]:
        return [alias.name for alias in version.aliases.all()]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_signature(self, version: ModelVersion) -> dict[str, Any] | None:
        return version.signature

    @extend_schema_field(serializers.DictField())
    def get_report(self, version: ModelVersion) -> dict[str, Any]:
        return version.report

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_files(self, version: ModelVersion) -> list[dict[str, Any]]:
        """At most 201: a model and its data files (`registry/artifacts/bundle.py`)."""
        return version.files

    @extend_schema_field(serializers.DictField())
    def get_manifest(self, version: ModelVersion) -> dict[str, Any]:
        return version.manifest

    @extend_schema_field(serializers.DictField())
    def get_lineage(self, version: ModelVersion) -> dict[str, Any]:
        return version.lineage

    @extend_schema_field(serializers.DictField())
    def get_seal(self, version: ModelVersion) -> dict[str, Any]:
        return version.seal


class VersionUpload(serializers.Serializer[Any]):
    """What holds an object is JSON as text, because a multipart form has no other way."""

    file = serializers.FileField(allow_empty_file=True)
    description = serializers.CharField(required=False, allow_blank=True)
    tags = serializers.JSONField(required=False, binary=True)
    metrics = serializers.JSONField(required=False, binary=True)
    manifest = serializers.JSONField(required=False, binary=True)
    lineage = serializers.JSONField(required=False, binary=True)
    signature = serializers.JSONField(required=False, binary=True)


class VersionChange(serializers.Serializer[Any]):
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    metrics = serializers.DictField(child=serializers.FloatField(), required=False)


class AliasSerializer(serializers.ModelSerializer[ModelAlias]):
    model = serializers.CharField(source="model.name", read_only=True)
    alias = serializers.CharField(source="name", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = ModelAlias
        fields = ["model", "alias", "version", "updated_at"]


class AliasInput(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "user",
            "scopes",
            "endpoints",
            "requests_per_second",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]


class TokenInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.CharField(max_length=20), allow_empty=False)
    endpoints = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    days = serializers.IntegerField(required=False)
    requests_per_second = serializers.IntegerField(required=False, allow_null=True)


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class AuditSerializer(serializers.ModelSerializer[AuditEvent]):
    project = serializers.CharField(source="project.slug", default=None, read_only=True)

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "action",
            "actor_name",
            "token_prefix",
            "project",
            "object_type",
            "object_id",
            "object_name",
            "reason",
            "details",
            "request_id",
        ]
