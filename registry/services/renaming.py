"""Giving a model another name. Endpoints, versions and the history refer to the model itself, so they go along."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.access import policy
from registry.access.principal import Principal
from registry.models import RegisteredModel
from registry.services import audit
from registry.services.catalog import check_model_name, lock_model


def rename_model(principal: Principal, model: RegisteredModel, name: str) -> RegisteredModel:
    """Raises InvalidInput for a name that is not permitted, Conflict (`name_taken`) for one that is in use.

    Takes the lock of those who register and delete; raises NotFound where it was deleted meanwhile.
    """
    policy.require(principal, "model.edit", model.project_id)
    check_model_name(name)
    try:
        with transaction.atomic():
            locked = lock_model(model)
            details = {"from": locked.name, "to": name}
            locked.name = name
            locked.save(update_fields=["name", "updated_at"])
            audit.record(principal, "model.renamed", locked, project_id=locked.project_id, details=details)
    except IntegrityError:
        raise Conflict(
            _("A model named “%(name)s” exists already: choose another name.") % {"name": name}, code="name_taken"
        ) from None
    return locked
