"""A version that came as an archive: receiving -> validating as a bundle, or rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.lib.errors import NotFound, TooLarge, Unavailable
from portal.lib.heartbeat import Heartbeat
from registry.access.principal import SYSTEM
from registry.artifacts.model_files import bundle_digest, files_as_json
from registry.artifacts.names import readable
from registry.artifacts.report import Rejection, Report
from registry.artifacts.unpack import LOST, Unpacked, unpack
from registry.models import ModelVersion, VersionStatus
from registry.services import audit, claims
from registry.services.archives import artifact_of, kind_of, subject_of
from registry.services.artifacts import artifact_store, opened
from registry.services.doorbell import ring
from registry.services.quotas import check_quota, hold_project, largest_upload
from registry.services.sealing import reseal

STEP = "unpack"
_MISSING = Rejection(
    "artifact_missing", "The bytes of this version are not in the store any more: upload the archive again."
)


def begin_unpacking(version_id: int) -> ModelVersion | None:
    """Claims the version for one run; None when another run has it or it is unpacked already."""
    return claims.claim(version_id, VersionStatus.RECEIVING, steps=[{"name": STEP, "at": timezone.now().isoformat()}])


def unpack_archive(version: ModelVersion) -> Unpacked:
    """Whatever is wrong with it is in the answer. Raises Unavailable: without a sandbox, or on a full disk. That is
    not the archive's fault, so the try does not count."""
    if version.validation_tries > claims.MAX_TRIES:
        return Unpacked(rejection=LOST)
    try:
        return _unpacked(version)
    except NotFound:
        return Unpacked(rejection=_MISSING)
    except Unavailable as error:
        if error.code == "artifact_tampered":
            return Unpacked(rejection=Rejection(error.code, error.message))
        claims.give_back(version)
        raise


def _unpacked(version: ModelVersion) -> Unpacked:
    artifact = artifact_of(version)
    kind = kind_of(artifact)
    with Heartbeat(claims.ALIVE_EVERY_SECONDS) as heartbeat, opened(artifact) as archive:
        heartbeat.watch(lambda: claims.renew(version))
        return unpack(archive, kind, artifact_store(), limit=largest_upload(version.model.project))


def finish_unpacking(version: ModelVersion, unpacked: Unpacked) -> bool:
    """The version goes on as what came out, or is rejected. False when another run was first."""
    if unpacked.rejection is not None:
        return _reject(version, unpacked.rejection)
    try:
        with transaction.atomic():
            project = hold_project(version.model.project_id)
            check_quota(project, sum(item.size for item in unpacked.files) - version.size)
            return _go_on(version, unpacked)
    except TooLarge as error:
        return _reject(version, Rejection(error.code, error.message))
    except IntegrityError:
        return _reject(version, _same_files(version, _digest(unpacked)))


def with_what_was_unpacked(version: ModelVersion, report: Report) -> Report:
    """The validation's report, with what unpacking had to say."""
    before: dict[str, Any] = version.report or {}
    if "archive" not in before.get("facts", {}):
        return report
    facts = {**report.facts, "archive": before["facts"]["archive"]}
    return replace(report, facts=facts, warnings=(*before.get("warnings", ()), *report.warnings))


def _digest(unpacked: Unpacked) -> str:
    """A model that came alone in its archive is a version of one file, as if it had come without."""
    return unpacked.files[0].sha256 if len(unpacked.files) == 1 else bundle_digest(unpacked.files)


def _go_on(version: ModelVersion, unpacked: Unpacked) -> bool:
    sha256, files = _digest(unpacked), unpacked.files if len(unpacked.files) > 1 else ()
    size = sum(item.size for item in unpacked.files)
    archive = {"sha256": version.sha256, "size": version.size, "n_left_out": len(unpacked.left_out)}
    moved = claims.ours(version).update(
        status=VersionStatus.VALIDATING,
        sha256=sha256,
        files=files_as_json(files),
        size=size,
        seal=reseal(version.seal, subject_of(version), sha256),
        report={"facts": {"archive": archive}, "warnings": _warnings(unpacked)},
        validation_alive_at=None,
        validation_tries=0,
    )
    if moved:
        details = {"sha256": sha256, "size": size, "n_files": len(unpacked.files), "archive": version.sha256}
        audit.record(SYSTEM, "version.unpacked", version, project_id=version.model.project_id, details=details)
        transaction.on_commit(lambda: ring("registry.tasks.validate_version", version.pk, queue="validation"))
    return bool(moved)


def _reject(version: ModelVersion, rejection: Rejection) -> bool:
    report = Report.rejected(rejection, steps=({"name": STEP, "status": "failed", "seconds": 0.0},))
    with transaction.atomic():
        decided = claims.ours(version).update(
            status=VersionStatus.REJECTED, report=report.as_json(), validated_at=timezone.now()
        )
        if decided:
            details = {"code": rejection.code}
            audit.record(SYSTEM, "version.rejected", version, project_id=version.model.project_id, details=details)
    return bool(decided)


def _warnings(unpacked: Unpacked) -> list[dict[str, str]]:
    if not unpacked.left_out:
        return []
    names = ", ".join(readable(name) for name in unpacked.left_out[:5])
    more = f" and {len(unpacked.left_out) - 5} more" if len(unpacked.left_out) > 5 else ""
    return [
        {
            "code": "files_left_out",
            "message": f"The model does not name these files, so they were left out: {names}{more}.",
        }
    ]


def _same_files(version: ModelVersion, sha256: str) -> Rejection:
    number = claims.number_of_same(version.model, sha256)
    which = f"version {number}" if number else "another version"
    return Rejection("same_bytes", f"These exact files are {which} of this model already: use that one.")
