"""Taking models away. What is served, was served or scored a job stays: its history refers to it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel
from registry.services import audit
from registry.services.artifacts import artifact_store


def delete_model(principal: Principal, model: RegisteredModel) -> None:
    """Deletes the model, its versions and the bytes that nothing else refers to."""
    policy.require(principal, "model.delete", model.project_id)
    try:
        with transaction.atomic():
            locked = RegisteredModel.objects.select_for_update().get(pk=model.pk)
            digests = set(locked.versions.values_list("sha256", flat=True))
            audit.record(principal, "model.deleted", locked, project_id=locked.project_id)
            locked.delete()
    except ProtectedError as error:
        users = sorted({str(item) for item in error.protected_objects})[:10]
        raise Conflict(
            _("This model is in use and cannot be deleted: %(users)s.") % {"users": ", ".join(users)},
            code="in_use",
            details={"used_by": users},
        ) from None
    for digest in digests - set(ModelVersion.objects.filter(sha256__in=digests).values_list("sha256", flat=True)):
        artifact_store().delete(digest)
