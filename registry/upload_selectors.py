"""Which uploads there are. An upload is its uploader's own affair until a version is made of it."""

from __future__ import annotations

from uuid import UUID

from django.db.models import BigIntegerField, Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.models import Upload, UploadState


def my_uploads(principal: Principal) -> QuerySet[Upload]:
    """Those that go on or wait for use, with `n_received` parts and `received_bytes` as numbers.

    A superuser's list too holds his own only.
    """
    alive = Upload.objects.filter(state__in=[UploadState.OPEN, UploadState.COMPLETE], version=None)
    mine = alive.filter(created_by_id=principal.user_id).select_related("project")
    there = Coalesce(Sum("parts__size"), 0, output_field=BigIntegerField())
    # Django drops the order of the model where it groups.
    return mine.annotate(n_received=Count("parts"), received_bytes=there).order_by("-created_at")


def my_upload(principal: Principal, upload_id: UUID) -> Upload:
    """One's own upload; anybody else's cannot be told from one that never was."""
    own = Q() if principal.is_superuser else Q(created_by_id=principal.user_id or 0)
    return _found(Upload.objects.filter(own, policy.visible(principal)), upload_id)


def usable_upload(principal: Principal, upload_id: UUID) -> Upload:
    """One's own, or that of somebody in a project where one may upload oneself."""
    upload = _found(Upload.objects.filter(policy.visible(principal)), upload_id)
    if upload.created_by_id != principal.user_id and not policy.can(principal, "version.upload", upload.project_id):
        raise _missing()
    return upload


def _found(uploads: QuerySet[Upload], upload_id: UUID) -> Upload:
    alive = uploads.exclude(state=UploadState.ABORTED)
    upload = alive.select_related("project", "version__model").filter(pk=upload_id).first()
    if upload is None:
        raise _missing()
    return upload


def _missing() -> NotFound:
    return NotFound(_("There is no such upload, or it was given up: begin a new one."))
