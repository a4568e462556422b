"""Seals for versions from before there were seals: given once their bytes are proven to be those of their digest."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from registry.services import audit
from registry.services.archives import artifact_of, subject_of
from registry.services.artifacts import opened
from registry.services.sealing import seal as sealed

# The settings look for it at a start.
MARK = "seals_required"


class Sealed(NamedTuple):
    """`problem` is empty where it went well."""

    version: str
    problem: str


def unsealed() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(seal={}, deleted_at=None).select_related("model").order_by("pk")


def require_from_now_on() -> bool:
    """Once every version has a seal, none is loaded without one from the next start on. False where some have none."""
    if unsealed().exists():
        return False
    (settings.DATA_DIR / MARK).touch(mode=0o600)
    return True


def seal_version(version: ModelVersion) -> Sealed:
    """What cannot be proven stays without a seal."""
    artifact = artifact_of(version)
    try:
        with opened(artifact):
            seal = sealed(subject_of(version), artifact.sha256)
    except PortalError as error:
        return Sealed(str(version), error.message)
    with transaction.atomic():
        same = ModelVersion.objects.filter(pk=version.pk, sha256=version.sha256, seal={})
        if same.update(seal=seal):
            details = {"sha256": version.sha256}
            audit.record(SYSTEM, "version.sealed", version, project_id=version.model.project_id, details=details)
    return Sealed(str(version), "")
