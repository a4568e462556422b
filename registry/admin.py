"""The back office: people, projects and memberships are managed here; everything else is to be read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from registry.audited_admin import AuditedAdmin
from registry.models import (
    ApiToken,
    AuditEvent,
    Delivery,
    EmailSubscription,
    Membership,
    ModelAlias,
    ModelVersion,
    Notification,
    Project,
    RegisteredModel,
    User,
    Webhook,
)


class ReadOnlyAdmin(admin.ModelAdmin):
    """For what only services may change, with their checks and their record."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(User)
class PortalUserAdmin(AuditedAdmin, UserAdmin):
    kind = "user"


admin.site.unregister(Group)


@admin.register(Group)
class PortalGroupAdmin(AuditedAdmin, GroupAdmin):
    kind = "group"


@admin.register(Project)
class ProjectAdmin(AuditedAdmin):
    kind = "project"
    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    inlines = (MembershipInline,)


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "last_number", "created_by", "updated_at")
    search_fields = ("name",)
    list_filter = ("project",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("model", "number", "status", "size", "created_by", "created_at")
    search_fields = ("model__name", "sha256")
    list_filter = ("status",)
    list_select_related = ("model", "created_by")


@admin.register(ModelAlias)
class ModelAliasAdmin(ReadOnlyAdmin):
    list_display = ("model", "name", "version", "updated_at")
    list_select_related = ("model", "version__model")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "user", "created_at", "expires_at", "revoked_at")
    search_fields = ("prefix", "name", "user__username")
    exclude = ("digest",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "actor_name", "object_type", "object_name", "reason")
    search_fields = ("action", "actor_name", "object_name")
    list_filter = ("action",)


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "project", "is_active", "created_by", "created_at")
    list_filter = ("project", "is_active")
    list_select_related = ("project", "created_by")
    exclude = ("secret",)


@admin.register(EmailSubscription)
class EmailSubscriptionAdmin(ReadOnlyAdmin):
    list_display = ("user", "project", "created_at")
    list_select_related = ("user", "project")


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("pk", "event", "subject", "project", "created_at")
    list_filter = ("event", "project")
    list_select_related = ("project",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("pk", "notification", "webhook", "user", "state", "tries", "last_status", "created_at")
    list_filter = ("state",)
    list_select_related = ("notification", "webhook", "user")
