"""Webhooks and their deliveries as JSON. The secret stands in the answer to its creation and nowhere else."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registry.models import Delivery, Webhook


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    project = serializers.CharField(source="project.slug", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = Webhook
        fields = [
            "id",
            "project",
            "url",
            "events",
            "description",
            "is_active",
            "created_by",
            "created_at",
            "disabled_at",
        ]


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(read_only=True)

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class WebhookInput(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500)
    project = serializers.CharField(max_length=64, required=False)
    events = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)


class WebhookChange(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)


class WebhookReason(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2000)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    event = serializers.CharField(source="notification.event", read_only=True)
    subject = serializers.CharField(source="notification.subject", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "notification",
            "event",
            "subject",
            "state",
            "tries",
            "next_try_at",
            "last_status",
            "last_error",
            "delivered_at",
            "created_at",
        ]
        extra_kwargs = {"notification": {"read_only": True}}
