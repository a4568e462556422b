"""What is told of versions: that one may be served, that it was rejected, that it is no longer what was registered."""

from __future__ import annotations

from django.db import transaction

from registry.models import ModelVersion, VersionStatus
from registry.notifications.services import notify
from registry.services import refusals
from registry.services.tampering import TAMPERED, Finding

VERDICTS = {VersionStatus.READY: "version.ready", VersionStatus.REJECTED: "version.rejected"}


def tell_verdict(version_id: int) -> None:
    """In the transaction of the verdict. Of a version that has none yet nothing is told."""
    version = ModelVersion.objects.select_related("model", "created_by").get(pk=version_id)
    event = VERDICTS.get(VersionStatus(version.status))
    if event is None:
        return
    report = version.report or {}
    body = {
        "model": version.model.name,
        "version": version.number,
        "by": version.created_by.get_username() if version.created_by else None,
        "code": report.get("code", ""),
        "message": report.get("message", ""),
    }
    notify(version.model.project_id, event, str(version), body)


def record_refusal(finding: Finding) -> None:
    """On the record and told, both or none. Blocks for PostgreSQL."""
    with transaction.atomic():
        event = refusals.record(finding)
        if event is None or event.action != TAMPERED:
            return
        version = ModelVersion.objects.select_related("model").get(pk=event.object_id)
        body = {"model": version.model.name, "version": version.number, "found": finding.found}
        notify(version.model.project_id, TAMPERED, str(version), body)
