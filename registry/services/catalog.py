"""Registering models and describing them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput, NotFound
from portal.lib.texts import is_text
from registry.access import policy
from registry.access.principal import Principal
from registry.models import Project, RegisteredModel
from registry.models.names import RESERVED_MODEL_NAMES, validate_model_name
from registry.services import audit
from registry.services.edits import difference

MAX_TEXT = 20_000
MAX_KEY = 250
MAX_TAG = 5_000


def create_model(
    principal: Principal, project: Project, name: str, *, description: str = "", tags: dict[str, str] | None = None
) -> RegisteredModel:
    policy.require(principal, "model.create", project.pk)
    check_model_name(name)
    try:
        with transaction.atomic():
            model = RegisteredModel.objects.create(
                project=project,
                name=name,
                description=check_text(description, "description"),
                tags=check_tags(tags or {}),
                created_by_id=principal.user_id,
            )
            audit.record(principal, "model.created", model, project_id=project.pk)
    except IntegrityError:
        raise Conflict(
            _("A model named “%(name)s” exists already: upload a version to it, or choose another name.")
            % {"name": name},
            code="name_taken",
        ) from None
    return model


def edit_model(principal: Principal, model: RegisteredModel, changes: dict[str, Any]) -> RegisteredModel:
    """`changes` may hold `description` and `tags`."""
    policy.require(principal, "model.edit", model.project_id)
    with transaction.atomic():
        model = lock_model(model)
        before = {"description": model.description, "tags": model.tags}
        if "description" in changes:
            model.description = check_text(changes["description"], "description")
        if "tags" in changes:
            model.tags = check_tags(changes["tags"])
        model.save(update_fields=["description", "tags", "updated_at"])
        after = {name: getattr(model, name) for name in before}
        details = {"fields": sorted(changes), "changes": difference(before, after)}
        audit.record(principal, "model.edited", model, project_id=model.project_id, details=details)
    return model


def lock_model(model: RegisteredModel) -> RegisteredModel:
    """Inside a transaction. Raises NotFound where it was deleted meanwhile."""
    locked = RegisteredModel.objects.select_for_update().filter(pk=model.pk, deleted_at=None).first()
    if locked is None:
        raise NotFound(_("There is no model “%(name)s”.") % {"name": model.name})
    return locked


def check_model_name(name: str) -> None:
    try:
        validate_model_name(name)
    except ValidationError as error:
        raise InvalidInput(error.messages[0], code="invalid_name", details={"field": "name"}) from None
    if name.lower() in RESERVED_MODEL_NAMES:
        raise InvalidInput(_("This name is reserved: choose another."), code="invalid_name", details={"field": "name"})


def check_text(value: Any, field: str) -> str:
    if not is_text(value, MAX_TEXT):
        raise InvalidInput(
            _("“%(field)s” has to be text of at most %(n)s characters.") % {"field": field, "n": MAX_TEXT},
            details={"field": field},
        )
    return str(value)


def is_key(value: Any) -> bool:
    return bool(value) and is_text(value, MAX_KEY)


def check_tags(tags: Any) -> dict[str, str]:
    """At most 100 tags, keys up to 250 characters, text values up to 5 000."""
    ok = isinstance(tags, dict) and len(tags) <= 100
    if not ok or not all(is_key(key) and is_text(value, MAX_TAG) for key, value in tags.items()):
        raise InvalidInput(
            _('“tags” has to be an object of at most 100 texts, such as {"team": "risk"}.'),
            details={"field": "tags"},
        )
    return tags


def check_metrics(metrics: Any) -> dict[str, float]:
    """At most 100 named finite numbers."""
    ok = isinstance(metrics, dict) and len(metrics) <= 100
    ok = ok and all(
        is_key(key) and isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
        for key, value in metrics.items()
    )
    if not ok:
        raise InvalidInput(
            _('“metrics” has to be an object of at most 100 numbers, such as {"accuracy": 0.97}.'),
            details={"field": "metrics"},
        )
    return metrics
