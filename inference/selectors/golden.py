"""Questions about golden requests and how versions answered them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inference.models import GoldenRequest, GoldenRun
from portal.lib.errors import NotFound
from registry.models import AuditEvent, ModelVersion, RegisteredModel


def golden_of(model: RegisteredModel) -> QuerySet[GoldenRequest]:
    return GoldenRequest.objects.filter(model=model).select_related("created_by", "recorded_from")


def get_golden(model: RegisteredModel, golden_id: int) -> GoldenRequest:
    found = golden_of(model).filter(pk=golden_id).first() if 0 < golden_id < 2**63 else None
    if found is None:
        raise NotFound(_("Model “%(name)s” has no golden request %(id)s.") % {"name": model.name, "id": golden_id})
    return found


def runs_of(version: ModelVersion) -> QuerySet[GoldenRun]:
    """Newest first."""
    return GoldenRun.objects.filter(version=version).select_related("version")


def last_run_of(version: ModelVersion) -> GoldenRun | None:
    return runs_of(version).first()


def digest_of(requests: Iterable[GoldenRequest]) -> str:
    """Names the requests as they are; empty where there are none."""
    facts = sorted([row.pk, row.name, row.request, row.expected, row.rtol, row.atol] for row in requests)
    if not facts:
        return ""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def runs_in_the_record(project_id: int) -> set[int]:
    """Ids of all runs that the audit log names where traffic of this project was moved or refused."""
    events = AuditEvent.objects.filter(project_id=project_id, details__has_key="golden")
    return {note["run"] for notes in events.values_list("details__golden", flat=True) for note in notes}
