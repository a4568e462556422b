"""What is changed in the back office stands on the audit record too: who was let in, with which role, and by whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest

from registry.access.principal import principal_of_user
from registry.models import Membership, Project
from registry.services import audit


class AuditedAdmin(admin.ModelAdmin):
    """`kind` begins the names of its acts. Memberships that are edited in line are acts of their own."""

    kind = ""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "created", obj, {})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if message:
            self._record(request, "edited", obj, {"fields": _fields(message)})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            self._record(request, "deleted", obj, {})
        return super().log_deletions(request, queryset)

    def save_formset(self, request: HttpRequest, form: ModelForm, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is Membership:
            for action, details in _memberships(formset):
                audit.record(
                    principal_of_user(request.user),
                    action,
                    form.instance,
                    project_id=form.instance.pk,
                    details=details,
                )

    def _record(self, request: HttpRequest, act: str, obj: Any, details: dict[str, Any]) -> None:
        project_id = obj.pk if isinstance(obj, Project) else None
        rights = _rights(obj) if isinstance(obj, AbstractUser) and act != "deleted" else {}
        # Not all of Django's own views write in one transaction.
        with transaction.atomic():
            audit.record(
                principal_of_user(request.user),
                f"{self.kind}.{act}",
                obj,
                project_id=project_id,
                details={**details, **rights},
            )


def _fields(message: Any) -> list[str]:
    """Of what Django notes for its own log; never any values."""
    if not isinstance(message, list):
        return [str(message)]
    changed = [entry["changed"] for entry in message if "changed" in entry]
    return sorted({str(name) for entry in changed if "name" not in entry for name in entry.get("fields", ())})


def _rights(user: AbstractUser) -> dict[str, Any]:
    """As they are from now on."""
    flags = {name: getattr(user, name) for name in ("is_active", "is_staff", "is_superuser")}
    return {**flags, "groups": sorted(user.groups.values_list("name", flat=True))}


def _memberships(formset: BaseModelFormSet) -> Iterable[tuple[str, dict[str, Any]]]:
    before = {form.instance.pk: form.initial for form in formset.initial_forms}
    for row in formset.new_objects:
        yield "membership.granted", _membership(row)
    for row, _changed in formset.changed_objects:
        former = before[row.pk]
        yield (
            "membership.changed",
            {**_membership(row), "before": {"user_id": former["user"], "role": former["role"]}},
        )
    for row in formset.deleted_objects:
        yield "membership.revoked", _membership(row)


def _membership(row: Membership) -> dict[str, Any]:
    return {"user": row.user.get_username(), "user_id": row.user_id, "role": row.role}
