"""Movable names of versions: `champion`, `challenger`, or any other."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput, NotFound
from portal.lib.texts import is_storable
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelAlias, ModelVersion, RegisteredModel, VersionStatus
from registry.models.names import validate_alias
from registry.services import audit


def set_alias(principal: Principal, version: ModelVersion, name: str) -> ModelAlias:
    model = version.model
    policy.require(principal, "alias.set", model.project_id)
    try:
        validate_alias(name)
    except ValidationError as error:
        raise InvalidInput(error.messages[0], code="invalid_alias", details={"field": "alias"}) from None
    with transaction.atomic():
        _lock(model)
        if not ModelVersion.objects.filter(pk=version.pk, status=VersionStatus.READY, deleted_at=None).exists():
            raise Conflict(_("Only a ready version can carry an alias."), code="version_not_ready")
        before = ModelAlias.objects.filter(model=model, name=name).select_related("version").first()
        alias, _created = ModelAlias.objects.update_or_create(model=model, name=name, defaults={"version": version})
        if before is None or before.version_id != version.pk:
            details = {"from": before.version.number if before else None, "to": version.number}
            audit.record(principal, "alias.set", alias, project_id=model.project_id, details=details)
    return alias


def delete_alias(principal: Principal, model: RegisteredModel, name: str) -> None:
    policy.require(principal, "alias.set", model.project_id)
    with transaction.atomic():
        _lock(model)
        rows = ModelAlias.objects.select_for_update().filter(model=model, name=name)
        alias = rows.first() if is_storable(name) else None
        if alias is None:
            raise NotFound(_("This model has no alias “%(name)s”.") % {"name": name})
        audit.record(principal, "alias.deleted", alias, project_id=model.project_id)
        alias.delete()


def _lock(model: RegisteredModel) -> None:
    """Whoever takes a version away locks its model first too: what is read from here on stands until the end."""
    RegisteredModel.objects.select_for_update(no_key=True).get(pk=model.pk)
