"""The back office of serving, read only: traffic moves through services, with their checks and their record."""

from __future__ import annotations

from django.contrib import admin

from inference.models import BatchJob, Endpoint, ServingProcess, SplitActivation, TrafficSplit
from registry.admin import ReadOnlyAdmin


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    list_display = ("slug", "model", "project", "epoch", "live_split", "created_at")
    search_fields = ("slug", "model__name")
    list_select_related = ("model", "project", "live_split__endpoint")


@admin.register(TrafficSplit)
class TrafficSplitAdmin(ReadOnlyAdmin):
    list_display = ("endpoint", "revision", "created_by", "created_at", "reason")
    list_select_related = ("endpoint", "created_by")


@admin.register(SplitActivation)
class SplitActivationAdmin(ReadOnlyAdmin):
    list_display = ("endpoint", "epoch", "kind", "actor_name", "at", "seconds", "reason")
    list_select_related = ("endpoint",)


@admin.register(ServingProcess)
class ServingProcessAdmin(ReadOnlyAdmin):
    list_display = ("id", "host", "pid", "acknowledged", "n_sessions", "session_bytes", "lease_expires_at")


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "version", "status", "n_rows", "n_done", "n_failed", "created_by", "created_at")
    list_filter = ("status",)
    list_select_related = ("version__model", "created_by")
