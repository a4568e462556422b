"""Validation in the background, and the housekeeping of the registry."""

from __future__ import annotations

from typing import Any

import structlog
from celery import shared_task

from portal.lib.heartbeat import Heartbeat
from registry.artifacts.report import Rejection, Report
from registry.artifacts.sandbox import validate
from registry.models import ModelVersion
from registry.notifications import delivery
from registry.services import versions
from registry.services.artifacts import artifact_store, job_store
from registry.services.doorbell import ring

log = structlog.get_logger(__name__)
ABANDONED_AFTER_SECONDS = 24 * 3600
LOST = Rejection("validation_lost", "Validating this file ended its worker three times, so it is not taken.")
MISSING = Rejection(
    "artifact_missing", "The bytes of this version are not in the store any more: upload the file again."
)


@shared_task(soft_time_limit=240, time_limit=300)
def validate_version(version_id: int, **_: Any) -> None:
    """Idempotent: a doubled message finds the version claimed or decided and does nothing."""
    version = versions.begin_validation(version_id)
    if version is None:
        return
    report = _examine(version)
    decided = versions.finish_validation(version, report)
    log.info("version_validated", version=str(version), status=report.status, code=report.code, decided=decided)


def _examine(version: ModelVersion) -> Report:
    if version.validation_tries > versions.MAX_VALIDATION_TRIES:
        return Report.rejected(LOST)
    try:
        path = artifact_store().path(version.sha256)
        with Heartbeat(versions.VALIDATION_ALIVE_EVERY_SECONDS) as heartbeat:
            heartbeat.watch(lambda: versions.renew_validation(version))
            return validate(path, on_step=lambda name: versions.note_step(version, name))
    except FileNotFoundError:
        return Report.rejected(MISSING)


@shared_task(time_limit=60)
def reconcile_versions(**_: Any) -> None:
    for version_id in versions.lost_validations():
        ring("registry.tasks.validate_version", version_id, queue="validation")


@shared_task(time_limit=90)
def deliver_notifications(**_: Any) -> None:
    """Idempotent: a doubled message finds nothing due. What is more than one round holds is rung for again."""
    if delivery.deliver_due() >= delivery.AT_ONCE:
        ring("registry.tasks.deliver_notifications")


@shared_task(time_limit=300)
def sweep(**_: Any) -> None:
    """Removes what broken uploads left behind, and notifications that nobody will ask for any more."""
    for store in (artifact_store(), job_store()):
        store.sweep_incoming(ABANDONED_AFTER_SECONDS)
    delivery.forget_old()
