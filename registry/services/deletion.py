"""Taking versions and models away. A deleted row stays for the history that names it; its bytes go with the sweep.

Rows are locked in this order: the model, its versions by id, then whatever `users_of(..., hold=True)` locks. All that
begin to use a version look at its status under one of these locks, so of two people at once exactly one succeeds.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotFound
from portal.lib.texts import check_reason
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel, VersionStatus
from registry.services import audit
from registry.services.usage import aliases_of, refuse_used, users_of


def archive_version(principal: Principal, version: ModelVersion, *, reason: str = "") -> ModelVersion:
    """Out of the way: it takes no traffic, keeps its bytes and can be restored. Archiving twice is as once.

    Raises Conflict (`in_use`, `wrong_status`), and then nothing has changed.
    """
    policy.require(principal, "version.archive", version.model.project_id)
    check_reason(reason, required=False)
    with transaction.atomic():
        locked = _locked(version)
        if locked.status == VersionStatus.ARCHIVED:
            return locked
        check_archivable(locked)
        _refuse_used(locked)
        _write(locked, status=VersionStatus.ARCHIVED, archived_at=timezone.now())
        audit.record(principal, "version.archived", locked, project_id=locked.model.project_id, reason=reason)
    return locked


def restore_version(principal: Principal, version: ModelVersion, *, reason: str = "") -> ModelVersion:
    """Ready again, as validation found it. Raises Conflict (`same_bytes`) where another version has these bytes now."""
    policy.require(principal, "version.archive", version.model.project_id)
    check_reason(reason, required=False)
    try:
        with transaction.atomic():
            locked = _locked(version)
            if locked.status == VersionStatus.READY:
                return locked
            check_restorable(locked)
            _write(locked, status=VersionStatus.READY, archived_at=None)
            audit.record(principal, "version.restored", locked, project_id=locked.model.project_id, reason=reason)
    except IntegrityError:
        raise Conflict(
            _("Another version of this model has the same bytes by now: use that one."), code="same_bytes"
        ) from None
    return locked


def delete_version(principal: Principal, version: ModelVersion, *, reason: str) -> None:
    """Gone for everybody, its number never given again. Raises Conflict (`in_use`), InvalidInput without a reason."""
    policy.require(principal, "version.delete", version.model.project_id)
    check_reason(reason)
    with transaction.atomic():
        locked = _locked(version)
        _refuse_used(locked)
        before = locked.status
        bury([locked])
        details = {"status": before, "sha256": locked.sha256, "size": locked.size}
        project = locked.model.project_id
        audit.record(principal, "version.deleted", locked, project_id=project, reason=reason, details=details)


def delete_model(principal: Principal, model: RegisteredModel, *, reason: str = "") -> None:
    """The model with its versions and aliases; its name is free again. Raises Conflict (`in_use`)."""
    policy.require(principal, "model.delete", model.project_id)
    check_reason(reason, required=False)
    with transaction.atomic():
        locked = _locked_model(model)
        versions = list(_locked_versions(locked))
        uses = users_of([version.pk for version in versions], [locked.pk], hold=True)
        refuse_used(uses, _("Model “%(name)s”") % {"name": locked.name})
        aliases = list(locked.aliases.values_list("name", flat=True))
        locked.aliases.all().delete()
        bury(versions)
        RegisteredModel.objects.filter(pk=locked.pk).update(deleted_at=timezone.now())
        details = {"versions": [version.number for version in versions], "aliases": aliases}
        audit.record(principal, "model.deleted", locked, project_id=locked.project_id, reason=reason, details=details)


def bury(versions: Collection[ModelVersion]) -> None:
    """Locked rows become tombstones. None of them stays ready or in validation: whoever asks for such finds none."""
    now = timezone.now()
    for version in versions:
        ended = version.status in (VersionStatus.REJECTED, VersionStatus.ARCHIVED)
        status = version.status if ended else VersionStatus.ARCHIVED
        _write(version, status=status, archived_at=version.archived_at or now, deleted_at=now)


def check_archivable(version: ModelVersion) -> None:
    """Raises Conflict (`wrong_status`)."""
    if version.status != VersionStatus.READY:
        raise _wrong_status(version, _("only a ready version can be archived; delete it instead"))


def check_restorable(version: ModelVersion) -> None:
    """Raises Conflict (`wrong_status`)."""
    if version.status != VersionStatus.ARCHIVED:
        raise _wrong_status(version, _("only an archived version can be restored"))


def _locked_model(model: RegisteredModel) -> RegisteredModel:
    """Not against those who only refer to it, such as a new endpoint."""
    locked = RegisteredModel.objects.select_for_update(no_key=True).filter(pk=model.pk, deleted_at=None).first()
    if locked is None:
        raise NotFound(_("There is no model “%(name)s”.") % {"name": model.name})
    return locked


def _locked_versions(model: RegisteredModel, **which: int) -> list[ModelVersion]:
    rows = ModelVersion.objects.select_for_update(no_key=True, of=("self",)).select_related("model")
    return list(rows.filter(model=model, deleted_at=None, **which).order_by("pk"))


def _locked(version: ModelVersion) -> ModelVersion:
    found = _locked_versions(_locked_model(version.model), pk=version.pk)
    if not found:
        words = {"name": version.model.name, "number": version.number}
        raise NotFound(_("Model “%(name)s” has no version %(number)s.") % words)
    return found[0]


def _refuse_used(version: ModelVersion) -> None:
    uses = [*users_of([version.pk], hold=True), *aliases_of([version.pk])]
    refuse_used(uses, _("Version %(n)s") % {"n": version.number})


def _write(version: ModelVersion, **facts: object) -> None:
    """A conditional update, so that validation which has just ended is never overwritten."""
    rows = ModelVersion.objects.filter(pk=version.pk, status=version.status, deleted_at=None)
    if not rows.update(**facts):
        raise Conflict(_("Somebody else has just changed this version: look and try again."), code="version_changed")
    for name, value in facts.items():
        setattr(version, name, value)


def _wrong_status(version: ModelVersion, what: str) -> Conflict:
    words = {"n": version.number, "status": version.get_status_display().lower(), "what": what}
    return Conflict(
        _("Version %(n)s is %(status)s: %(what)s.") % words,
        code="wrong_status",
        details={"version": version.number, "status": version.status},
    )
