"""A version's life: bytes stored -> validating -> ready or rejected -> archived."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotFound
from portal.lib.texts import display_name
from registry.access import policy
from registry.access.principal import SYSTEM, Principal
from registry.artifacts.manifest import check_manifest
from registry.artifacts.model_files import Artifact, Subject, files_as_json
from registry.artifacts.report import Report
from registry.models import ModelVersion, RegisteredModel, VersionStatus
from registry.services import audit, claims
from registry.services.archives import kind_of
from registry.services.artifacts import artifact_store, require_seal
from registry.services.catalog import check_metrics, check_tags, check_text, lock_model
from registry.services.doorbell import ring
from registry.services.edits import difference
from registry.services.lineage import check_lineage
from registry.services.quotas import check_quota, hold_project
from registry.services.receiving import take
from registry.services.sealing import said_by_uploader, seal
from registry.services.version_metrics import write_metrics


@dataclass(frozen=True, slots=True)
class About:
    """What an uploader says of a version. Nothing of it is checked yet.

    `signature` is his own over the digest (`registry/services/sealing.py`), `manifest` what travels with the model
    (`registry/artifacts/manifest.py`), `lineage` where it comes from (`registry/services/lineage.py`).
    """

    file_name: str = ""
    description: Any = ""
    tags: Any = None
    metrics: Any = None
    manifest: Any = None
    lineage: Any = None
    signature: Any = None

    def checked(self, model: RegisteredModel) -> dict[str, Any]:
        """The fields of the row. Raises InvalidInput."""
        return {
            "file_name": display_name(self.file_name),
            "description": check_text(self.description, "description"),
            "tags": check_tags({} if self.tags is None else self.tags),
            "metrics": check_metrics({} if self.metrics is None else self.metrics),
            "manifest": check_manifest({} if self.manifest is None else self.manifest),
            "lineage": check_lineage(model, {} if self.lineage is None else self.lineage),
        }


def upload_version(
    principal: Principal, model: RegisteredModel, source: UploadedFile | Iterable[bytes], about: About | None = None
) -> ModelVersion:
    """Streams the bytes to the artifact store, registers them as the next version and asks for its validation."""
    policy.require(principal, "version.upload", model.project_id)
    about = about or About()
    about.checked(model)
    blob = take(artifact_store(), source)
    return register_version(principal, model, Artifact(blob.sha256), blob.size, about)


def register_version(
    principal: Principal,
    model: RegisteredModel,
    artifact: Artifact,
    size: int,
    about: About | None = None,
) -> ModelVersion:
    """The bytes lie in the store already. `size` is that of all files together.

    The artifact of another version is a copy, which gets a seal of its own. Raises Unavailable (`artifact_tampered`)
    where the other's does not hold.
    """
    policy.require(principal, "version.upload", model.project_id)
    if artifact.subject is not None:
        require_seal(artifact)
    about = about or About()
    facts = about.checked(model)
    _keep_young(artifact)
    try:
        with transaction.atomic():
            project = hold_project(model.project_id)
            check_quota(project, size)
            said = said_by_uploader(principal, project, artifact.sha256, about.signature)
            return _add(principal, model, artifact, size, facts, said)
    except IntegrityError:
        raise _same_bytes(model, artifact.sha256) from None


def _keep_young(artifact: Artifact) -> None:
    """The sweep leaves alone what is young, so nothing of it goes before the row stands. Raises NotFound."""
    try:
        for sha256 in artifact.digests:
            os.utime(artifact_store().path(sha256))
    except FileNotFoundError:
        raise NotFound(
            _("These bytes are no longer in the store: upload them again."), code="artifact_missing"
        ) from None


def _add(
    principal: Principal,
    model: RegisteredModel,
    artifact: Artifact,
    size: int,
    facts: dict[str, Any],
    said: dict[str, Any],
) -> ModelVersion:
    archived = bool(kind_of(artifact))
    # The row lock hands out numbers without gaps or doubles.
    locked = lock_model(model)
    locked.last_number += 1
    locked.save(update_fields=["last_number", "updated_at"])
    version = ModelVersion.objects.create(
        model=locked,
        number=locked.last_number,
        status=VersionStatus.RECEIVING if archived else VersionStatus.VALIDATING,
        sha256=artifact.sha256,
        files=files_as_json(artifact.files),
        size=size,
        seal=seal(Subject(locked.pk, locked.last_number), artifact.sha256, said),
        created_by_id=principal.user_id,
        **facts,
    )
    write_metrics(version)
    details = {"sha256": artifact.sha256, "size": size, "n_files": max(1, len(artifact.files))}
    audit.record(principal, "version.uploaded", version, project_id=locked.project_id, details=details)
    task = "registry.tasks.unpack_version" if archived else "registry.tasks.validate_version"
    transaction.on_commit(lambda: ring(task, version.pk, queue="validation"))
    return version


def _same_bytes(model: RegisteredModel, sha256: str) -> Conflict:
    number = claims.number_of_same(model, sha256)
    return Conflict(
        _("These exact bytes are version %(number)s of this model already: use that one.") % {"number": number},
        code="same_bytes",
        details={"number": number, "sha256": sha256},
    )


def begin_validation(version_id: int) -> ModelVersion | None:
    """Claims the version for one validation run; None when another run has it or it is decided already."""
    return claims.claim(version_id, VersionStatus.VALIDATING, steps=[])


def note_step(version: ModelVersion, name: str) -> None:
    """What validation is at now, for the page that watches it."""
    version.steps = [*version.steps, {"name": name, "at": timezone.now().isoformat()}]
    claims.ours(version).update(steps=version.steps)


def finish_validation(version: ModelVersion, report: Report) -> bool:
    """Writes the verdict once. False when another run was first; its verdict stands."""
    with transaction.atomic():
        decided = claims.ours(version).update(
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
        rows = ModelVersion.objects.select_for_update(of=("self",)).select_related("model")
        version = rows.filter(pk=version.pk, deleted_at=None).first() or _gone()
        before = {field: getattr(version, field) for field in checks}
        for field in sorted(set(changes) & set(checks)):
            setattr(version, field, checks[field](changes[field]))
        version.save(update_fields=list(checks))
        if "metrics" in changes:
            write_metrics(version)
        after = {field: getattr(version, field) for field in checks}
        details = {"fields": sorted(changes), "changes": difference(before, after)}
        audit.record(principal, "version.edited", version, project_id=version.model.project_id, details=details)
    return version


def _gone() -> NoReturn:
    raise NotFound(_("This version was deleted meanwhile."))
