"""MLflow's stages, which the portal does not have: Staging and Production are aliases, Archived is a status.

An alias names one version, so a stage holds one: whoever enters it takes it over from the one before.
"""

from __future__ import annotations

from django.db import transaction

from registry.access.principal import Principal
from registry.mlflow.entities import STAGES
from registry.mlflow.registered_models import stage_named
from registry.models import ModelAlias, ModelVersion, VersionStatus
from registry.services.aliases import delete_alias, set_alias
from registry.services.catalog import lock_model
from registry.services.deletion import archive_version, restore_version

REASON = "Moved to another stage through the MLflow client."


def move(principal: Principal, version: ModelVersion, stage: str, archive_existing: bool) -> None:
    """All or nothing. Raises InvalidInput for an unknown stage, Conflict where a version to archive is in use."""
    wanted = stage_named(stage)
    with transaction.atomic():
        # First, as everybody does who changes several things of one model.
        lock_model(version.model)
        before = _holder(version, wanted)
        _leave_stages(principal, version, wanted)
        if wanted == "Archived":
            archive_version(principal, version, reason=REASON)
            return
        if version.status == VersionStatus.ARCHIVED:
            version = restore_version(principal, version, reason=REASON)
        if wanted in STAGES:
            set_alias(principal, version, wanted)
            if archive_existing and before is not None and before.pk != version.pk:
                archive_version(principal, before, reason=REASON)


def _holder(version: ModelVersion, stage: str) -> ModelVersion | None:
    held = ModelAlias.objects.filter(model=version.model_id, name=stage).select_related("version__model").first()
    return held.version if held else None


def _leave_stages(principal: Principal, version: ModelVersion, wanted: str) -> None:
    left = [stage for stage in STAGES if stage != wanted]
    for name in ModelAlias.objects.filter(version=version, name__in=left).values_list("name", flat=True):
        delete_alias(principal, version.model, name)
