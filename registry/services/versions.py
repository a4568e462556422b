"""A version's life: bytes stored -> validating -> ready or rejected -> archived."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.access import policy
from registry.access.principal import SYSTEM, Principal
from registry.artifacts.report import Report
from registry.models import ModelVersion, RegisteredModel, VersionStatus
from registry.services import audit
from registry.services.artifacts import artifact_store
from registry.services.catalog import check_metrics, check_tags, check_text
from registry.services.doorbell import ring
from registry.services.receiving import take

log = structlog.get_logger(__name__)
# Whoever validates says so every few seconds; after this long a silence its worker is dead.
VALIDATION_LOST_AFTER = timedelta(seconds=20)
VALIDATION_ALIVE_EVERY_SECONDS = 4.0
MAX_VALIDATION_TRIES = 3


def upload_version(
    principal: Principal,
    model: RegisteredModel,
    source: UploadedFile | Iterable[bytes],
    *,
    file_name: str = "",
    description: str = "",
    tags: dict[str, str] | None = None,
    metrics: dict[str, float] | None = None,
) -> ModelVersion:
    """Streams the bytes to the artifact store, registers them as the next version and asks for its validation."""
    policy.require(principal, "version.upload", model.project_id)
    facts = {
        "description": check_text(description, "description"),
        "tags": check_tags({} if tags is None else tags),
        "metrics": check_metrics({} if metrics is None else metrics),
    }
    blob = take(artifact_store(), source)
    return register_version(principal, model, blob.sha256, blob.size, file_name=file_name, **facts)


def register_version(
    principal: Principal, model: RegisteredModel, sha256: str, size: int, *, file_name: str = "", **facts: Any
) -> ModelVersion:
    policy.require(principal, "version.upload", model.project_id)
    try:
        with transaction.atomic():
            # The row lock hands out numbers without gaps or doubles.
            locked = RegisteredModel.objects.select_for_update().get(pk=model.pk)
            locked.last_number += 1
            locked.save(update_fields=["last_number", "updated_at"])
            version = ModelVersion.objects.create(
                model=locked,
                number=locked.last_number,
                sha256=sha256,
                size=size,
                file_name=_display_name(file_name),
                created_by_id=principal.user_id,
                **facts,
            )
            audit.record(
                principal,
                "version.uploaded",
                version,
                project_id=locked.project_id,
                details={"sha256": sha256, "size": size},
            )
            transaction.on_commit(lambda: ring("registry.tasks.validate_version", version.pk, queue="validation"))
    except IntegrityError:
        raise _same_bytes(model, sha256) from None
    return version


def _display_name(file_name: str) -> str:
    """Only ever shown: the last path segment, printable, at most 255 characters."""
    last = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:255]


def _same_bytes(model: RegisteredModel, sha256: str) -> Conflict:
    same = ModelVersion.objects.filter(model=model, sha256=sha256).exclude(status__in=["rejected", "archived"]).first()
    number = same.number if same else None
    return Conflict(
        _("These exact bytes are version %(number)s of this model already: use that one.") % {"number": number},
        code="same_bytes",
        details={"number": number, "sha256": sha256},
    )


def begin_validation(version_id: int) -> ModelVersion | None:
    """Claims the version for one validation run; None when another run has it or it is decided already."""
    now = timezone.now()
    claimed = (
        ModelVersion.objects.filter(pk=version_id, status=VersionStatus.VALIDATING)
        .filter(Q(validation_alive_at=None) | Q(validation_alive_at__lt=now - VALIDATION_LOST_AFTER))
        .update(validation_alive_at=now, validation_tries=F("validation_tries") + 1, steps=[])
    )
    return ModelVersion.objects.select_related("model").get(pk=version_id) if claimed else None


def renew_validation(version: ModelVersion) -> bool:
    """Says that this run is alive; False once it is decided, or another run has it."""
    ours = ModelVersion.objects.filter(
        pk=version.pk, status=VersionStatus.VALIDATING, validation_tries=version.validation_tries
    )
    return bool(ours.update(validation_alive_at=timezone.now()))


def note_step(version: ModelVersion, name: str) -> None:
    """What validation is at now, for the page that watches it."""
    version.steps = [*version.steps, {"name": name, "at": timezone.now().isoformat()}]
    ModelVersion.objects.filter(pk=version.pk, status=VersionStatus.VALIDATING).update(steps=version.steps)


def finish_validation(version: ModelVersion, report: Report) -> bool:
    """Writes the verdict once. False when another run was first; its verdict stands."""
    with transaction.atomic():
        decided = ModelVersion.objects.filter(
            pk=version.pk, status=VersionStatus.VALIDATING, validation_tries=version.validation_tries
        ).update(
            status=report.status,
            signature=report.signature.as_json() if report.signature else None,
            report=report.as_json(),
            validated_at=timezone.now(),
        )
        if decided:
            action = "version.ready" if report.status == "ready" else "version.rejected"
            audit.record(SYSTEM, action, version, project_id=version.model.project_id, details={"code": report.code})
    return bool(decided)


def edit_version(principal: Principal, version: ModelVersion, changes: dict[str, Any]) -> ModelVersion:
    """`changes` may hold `description`, `tags` and `metrics`; the bytes and what was validated never change."""
    policy.require(principal, "version.edit", version.model.project_id)
    checks = {"description": lambda v: check_text(v, "description"), "tags": check_tags, "metrics": check_metrics}
    with transaction.atomic():
        version = ModelVersion.objects.select_for_update(of=("self",)).select_related("model").get(pk=version.pk)
        for field in sorted(set(changes) & set(checks)):
            setattr(version, field, checks[field](changes[field]))
        version.save(update_fields=list(checks))
        audit.record(
            principal,
            "version.edited",
            version,
            project_id=version.model.project_id,
            details={"fields": sorted(changes)},
        )
    return version


def lost_validations() -> list[int]:
    """Versions whose message or worker was lost: the ids to ring for again."""
    old = timezone.now() - VALIDATION_LOST_AFTER
    fresh = timezone.now() - timedelta(seconds=5)
    waiting = Q(validation_alive_at=None, created_at__lt=fresh) | Q(validation_alive_at__lt=old)
    return list(
        ModelVersion.objects.filter(waiting, status=VersionStatus.VALIDATING).values_list("pk", flat=True)[:100]
    )
