"""One tag more or less, so that of two callers at once both keep theirs."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel
from registry.services.catalog import edit_model, lock_model
from registry.services.versions import edit_version


def tag_model(principal: Principal, model: RegisteredModel, more: Mapping[str, str], gone: str = "") -> None:
    """Raises InvalidInput for tags that are too long or too many."""
    with transaction.atomic():
        locked = lock_model(model)
        edit_model(principal, model, {"tags": changed(locked.tags, more, gone)})


def tag_version(principal: Principal, version: ModelVersion, more: Mapping[str, str], gone: str = "") -> None:
    with transaction.atomic():
        locked = ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
        edit_version(principal, version, {"tags": changed(locked.tags, more, gone)})


def changed(tags: Mapping[str, str], more: Mapping[str, str], gone: str) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key != gone} | dict(more)
