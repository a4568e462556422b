"""Validation in the background, and the housekeeping of the registry."""

from __future__ import annotations

from typing import Any

import structlog
from celery import shared_task
from django.db import transaction

from portal.lib.errors import NotFound, Unavailable
from portal.lib.heartbeat import Heartbeat
from registry.artifacts.report import Rejection, Report
from registry.artifacts.sandbox import validate
from registry.artifacts.verdict import LOST, MISSING, STARVED
from registry.models import ModelVersion, VersionStatus
from registry.notifications import delivery
from registry.notifications.about_versions import tell_verdict
from registry.services import claims, retention, sweeping, unpacking, uploads, versions
from registry.services.archives import artifact_of
from registry.services.artifacts import artifact_store, job_store, opened
from registry.services.doorbell import ring

log = structlog.get_logger(__name__)
ABANDONED_AFTER_SECONDS = 24 * 3600


@shared_task(soft_time_limit=240, time_limit=300)
def validate_version(version_id: int, **_: Any) -> None:
    """Idempotent: a doubled message finds the version claimed or decided and does nothing."""
    version = versions.begin_validation(version_id)
    if version is None:
        return
    report = _examine(version)
    if report.code == STARVED and version.validation_tries < claims.MAX_TRIES:
        # The version counts as lost in a while, and its next try may find the machine calmer.
        log.warning("validation_starved", version=str(version), n_tries=version.validation_tries)
        return
    with transaction.atomic():
        decided = versions.finish_validation(version, report)
        if decided:
            tell_verdict(version.pk)
    log.info("version_validated", version=str(version), status=report.status, code=report.code, decided=decided)
    if decided and report.ready:
        ring("inference.tasks.run_golden", version.pk, queue="validation")


def _examine(version: ModelVersion) -> Report:
    if version.validation_tries > claims.MAX_TRIES:
        return Report.rejected(LOST)
    try:
        with Heartbeat(claims.ALIVE_EVERY_SECONDS) as heartbeat, opened(artifact_of(version)) as model:
            heartbeat.watch(lambda: claims.renew(version))
            report = validate(model, on_step=lambda name: versions.note_step(version, name))
            return unpacking.with_what_was_unpacked(version, report)
    except NotFound:
        return Report.rejected(MISSING)
    except Unavailable as error:
        if error.code == "artifact_tampered":
            return Report.rejected(Rejection(error.code, error.message))
        # Not the file's fault: the try does not count.
        claims.give_back(version)
        raise


@shared_task(soft_time_limit=900, time_limit=960)
def unpack_version(version_id: int, **_: Any) -> None:
    """Idempotent: a doubled message finds the archive claimed or unpacked and does nothing."""
    version = unpacking.begin_unpacking(version_id)
    if version is None:
        return
    unpacked = unpacking.unpack_archive(version)
    with transaction.atomic():
        decided = unpacking.finish_unpacking(version, unpacked)
        if decided:
            tell_verdict(version.pk)
    code = unpacked.rejection.code if unpacked.rejection else ""
    log.info("version_unpacked", version=str(version), n_files=len(unpacked.files), code=code, decided=decided)


@shared_task(time_limit=60)
def reconcile_versions(**_: Any) -> None:
    for version_id in claims.lost(VersionStatus.RECEIVING):
        ring("registry.tasks.unpack_version", version_id, queue="validation")
    for version_id in claims.lost(VersionStatus.VALIDATING):
        ring("registry.tasks.validate_version", version_id, queue="validation")


@shared_task(time_limit=90)
def deliver_notifications(**_: Any) -> None:
    """Idempotent: a doubled message finds nothing due. What is more than one round holds is rung for again."""
    if delivery.deliver_due() >= delivery.AT_ONCE:
        ring("registry.tasks.deliver_notifications")


@shared_task(time_limit=300)
def sweep(**_: Any) -> None:
    """Removes what broken uploads left behind, and notifications that nobody will ask for any more."""
    uploads.sweep_abandoned()
    for store in (artifact_store(), job_store()):
        store.sweep_incoming(ABANDONED_AFTER_SECONDS)
    delivery.forget_old()


@shared_task(time_limit=600)
def apply_retention(**_: Any) -> None:
    """Idempotent: what a doubled message finds archived or deleted is no longer planned."""
    log.info("retention_applied", n_versions=retention.apply_all())


@shared_task(time_limit=600)
def sweep_artifacts(**_: Any) -> None:
    found = sweeping.sweep()
    log.info("artifacts_swept", n_freed=len(found.orphans), freed_bytes=found.freed_bytes, n_missing=len(found.missing))
