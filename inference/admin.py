"""The back office of serving, read only: traffic moves through services, with their checks and their record."""

from __future__ import annotations

from django.contrib import admin

from inference.models import BatchJob, Endpoint, Quarantine, RuntimeDeath, ServingProcess, SplitActivation, TrafficSplit
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


@admin.register(RuntimeDeath)
class RuntimeDeathAdmin(ReadOnlyAdmin):
    list_display = ("version", "cause", "signal", "isolated", "host", "pid", "at")
    list_filter = ("cause",)
    list_select_related = ("version__model",)


@admin.register(Quarantine)
class QuarantineAdmin(ReadOnlyAdmin):
    list_display = ("version", "reason", "created_at", "released_at", "released_by")
    list_select_related = ("version__model", "released_by")


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "version", "status", "n_rows", "n_done", "n_failed", "created_by", "created_at")
    list_filter = ("status",)
    list_select_related = ("version__model", "created_by")
