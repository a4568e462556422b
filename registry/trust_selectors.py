"""Which versions are refused at the moment, because they are not what was registered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.utils.translation import gettext as _

from registry.access import policy
from registry.access.principal import Principal
from registry.models import AuditEvent, ModelVersion
from registry.services.archives import artifact_of
from registry.services.artifacts import seal_holds
from registry.services.tampering import PROVEN, TAMPERED, row_mark


class Refused(NamedTuple):
    """`event` is the one that stands on the record."""

    version: ModelVersion
    event: AuditEvent


def refused_versions(principal: Principal) -> list[Refused]:
    """As far as the caller may see them, newest first."""
    visible = ModelVersion.objects.filter(policy.visible(principal, "model__project_id"), deleted_at=None)
    events = {int(event.object_id): event for event in _newest_events()}
    versions = visible.filter(pk__in=events).select_related("model") if events else ()
    found = _still_refused(versions, events)
    return sorted(found, key=lambda item: item.event.at, reverse=True)


def refusal_of(version: ModelVersion) -> AuditEvent | None:
    event = next(iter(_newest_events(str(version.pk))), None)
    found = _still_refused([version], {version.pk: event}) if event else []
    return found[0].event if found else None


def why(event: AuditEvent) -> str:
    """For people: what does not fit, and what to do."""
    found = str(event.details.get("found", ""))
    if "bytes" in found:
        sentence = _("The bytes on the disk are others than the registered ones.")
    elif "another version" in found:
        sentence = _("Its row holds the seal of another version.")
    elif found == "no seal":
        sentence = _("Its row has lost its seal.")
    else:
        sentence = _("Its row was changed after it was sealed.")
    return f"{sentence} {_('Put it back from a backup, or upload the model again.')}"


def _newest_events(*version_ids: str) -> Iterable[AuditEvent]:
    """The newest of each version, where that is not the one that says that all fits again."""
    events = AuditEvent.objects.filter(action__in=[TAMPERED, PROVEN], object_type="ModelVersion")
    if version_ids:
        events = events.filter(object_id__in=version_ids)
    newest = events.order_by("object_id", "-id").distinct("object_id")
    return [event for event in newest if event.action == TAMPERED]


def _still_refused(versions: Iterable[ModelVersion], events: dict[int, AuditEvent]) -> list[Refused]:
    """A row that was changed since and whose seal holds has been mended."""
    found = [Refused(version, events[version.pk]) for version in versions]
    return [item for item in found if _is_as_it_was(item) or not seal_holds(artifact_of(item.version))]


def _is_as_it_was(item: Refused) -> bool:
    return bool(row_mark(artifact_of(item.version)) == item.event.details["row"])
