"""Puts refused versions on the record (`tampering.py` notes them): once for each state of a version's row."""

from __future__ import annotations

from django.db import transaction

from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion
from registry.services import audit
from registry.services.tampering import PROVEN, TAMPERED, Finding


def record(finding: Finding) -> AuditEvent | None:
    """None where it stands on the record already, or the version is gone. Blocks for PostgreSQL."""
    with transaction.atomic():
        rows = ModelVersion.objects.select_for_update(no_key=True, of=("self",)).select_related("model")
        subject = finding.subject
        version = rows.filter(model_id=subject.model, number=subject.version, deleted_at=None).first()
        if version is None or _is_known(version, finding):
            return None
        details = {"found": finding.found, "sha256": finding.sha256, "row": finding.row}
        project = version.model.project_id
        if not finding.found:
            return audit.record(SYSTEM, PROVEN, version, project_id=project, details={"sha256": finding.sha256})
        return audit.record(SYSTEM, TAMPERED, version, project_id=project, details=details)


def _is_known(version: ModelVersion, finding: Finding) -> bool:
    events = AuditEvent.objects.filter(object_type="ModelVersion", object_id=str(version.pk))
    newest = events.filter(action__in=[TAMPERED, PROVEN]).order_by("-id").first()
    if newest is None or newest.action == PROVEN:
        return not finding.found
    return bool(finding.found) and newest.details["row"] == finding.row
