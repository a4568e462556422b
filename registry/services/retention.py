"""What a project's rules archive and delete by themselves, and exactly what they would do now.

`rejected_days`: rejected versions older than so many days are deleted. `unserved_days`: ready versions that nobody has
used for so long are archived, except the `keep_last` newest ready ones of each model. `archived_days`: what has been
archived for so long is deleted. What anybody uses, or an alias names, stays whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import InvalidInput, PortalError
from registry.access.principal import SYSTEM
from registry.models import ModelVersion, Project, VersionStatus
from registry.services.deletion import archive_version, delete_version
from registry.services.sweeping import freed_by
from registry.services.usage import aliases_of, last_used, users_of

log = structlog.get_logger(__name__)
DAYS = ("rejected_days", "archived_days", "unserved_days")
MOST_DAYS, MOST_KEPT = 3650, 1000
# Of one run; the next goes on.
AT_ONCE = 1000
# Columns that are large, and that nobody asks here.
HEAVY = ("report", "steps", "signature", "manifest", "lineage", "metrics", "tags", "description")


class Planned(NamedTuple):
    """`act` is archive or delete; `rule` the name of the rule, `sentence` the reason that goes to the record."""

    version: ModelVersion
    act: str
    rule: str
    sentence: str


class Preview(NamedTuple):
    """`n_bytes` is what the deletions would free at the next sweep; `more` where a run would not do all."""

    planned: list[Planned]
    n_bytes: int
    more: bool


def check_rules(value: Any) -> dict[str, int]:
    """As `Project.retention` keeps them; a rule that is None or left out is off. Raises InvalidInput."""
    if not isinstance(value, dict) or set(value) - {*DAYS, "keep_last"}:
        raise _invalid(_("“retention” has to be an object with these rules: %(names)s.") % {"names": _names()})
    rules = {name: number for name, number in value.items() if number is not None}
    for name, number in rules.items():
        least, most = (0, MOST_KEPT) if name == "keep_last" else (1, MOST_DAYS)
        if type(number) is not int or not least <= number <= most:
            words = {"name": name, "least": least, "most": most}
            raise _invalid(_("%(name)s has to be a whole number from %(least)s to %(most)s.") % words)
    if "keep_last" in rules and "unserved_days" not in rules:
        raise _invalid(_("“keep_last” says what “unserved_days” spares: set both, or leave it out."))
    return rules


def _names() -> str:
    return ", ".join((*DAYS, "keep_last"))


def _invalid(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_retention", details={"field": "retention"})


def preview(project: Project, rules: dict[str, int] | None = None) -> Preview:
    """What applying `rules`, by default the project's own, would do at this moment."""
    planned = list(plan(project, project.retention if rules is None else rules))
    more = len(planned) > AT_ONCE
    planned = planned[:AT_ONCE]
    return Preview(planned, freed_by(item.version for item in planned if item.act == "delete"), more)


def apply(project: Project) -> int:
    """Does what the preview shows, and says how many versions that were. What came into use meanwhile is spared."""
    n_done = 0
    for item in list(plan(project, project.retention))[:AT_ONCE]:
        act = archive_version if item.act == "archive" else delete_version
        try:
            act(SYSTEM, item.version, reason=item.sentence)
            n_done += 1
        except PortalError as error:
            log.info("retention_spared", version=str(item.version), code=error.code)
    return n_done


def apply_all() -> int:
    return sum(apply(project) for project in Project.objects.exclude(retention={}))


def plan(project: Project, rules: dict[str, int]) -> Iterator[Planned]:
    now = timezone.now()
    found = [*_rejected(project, rules, now), *_archived(project, rules, now), *_unserved(project, rules, now)]
    spared = _in_use(item.version for item in found)
    for item in found:
        if item.version.pk not in spared:
            yield item


def _in_use(versions: Iterable[ModelVersion]) -> set[int | None]:
    ids = [version.pk for version in versions]
    return {use.version_id for use in (*users_of(ids), *aliases_of(ids))}


def _alive(project: Project, status: str) -> QuerySet[ModelVersion]:
    rows = ModelVersion.objects.filter(model__project=project, model__deleted_at=None, deleted_at=None, status=status)
    return rows.select_related("model").defer(*HEAVY).order_by("model__name", "number")


def _rejected(project: Project, rules: dict[str, int], now: datetime) -> list[Planned]:
    if not (days := rules.get("rejected_days")):
        return []
    sentence = ngettext(
        "Retention: rejected more than %(n)s day ago.", "Retention: rejected more than %(n)s days ago.", days
    ) % {"n": days}
    rows = _alive(project, VersionStatus.REJECTED).filter(created_at__lt=now - timedelta(days=days))
    return [Planned(version, "delete", "rejected_days", sentence) for version in rows[: AT_ONCE + 1]]


def _archived(project: Project, rules: dict[str, int], now: datetime) -> list[Planned]:
    if not (days := rules.get("archived_days")):
        return []
    sentence = ngettext(
        "Retention: archived more than %(n)s day ago.", "Retention: archived more than %(n)s days ago.", days
    ) % {"n": days}
    rows = _alive(project, VersionStatus.ARCHIVED).filter(archived_at__lt=now - timedelta(days=days))
    return [Planned(version, "delete", "archived_days", sentence) for version in rows[: AT_ONCE + 1]]


def _unserved(project: Project, rules: dict[str, int], now: datetime) -> list[Planned]:
    if not (days := rules.get("unserved_days")):
        return []
    sentence = ngettext(
        "Retention: ready, and not used for %(n)s day.", "Retention: ready, and not used for %(n)s days.", days
    ) % {"n": days}
    since = now - timedelta(days=days)
    newest = _newest(project, rules.get("keep_last", 0))
    rows = [row for row in _alive(project, VersionStatus.READY).filter(created_at__lt=since) if row.pk not in newest]
    used = last_used([row.pk for row in rows]) if rows else {}
    return [
        Planned(row, "archive", "unserved_days", sentence) for row in rows if row.pk not in used or used[row.pk] < since
    ]


def _newest(project: Project, keep_last: int) -> set[int]:
    """The ids of the newest ready versions of each model."""
    seen: dict[int, int] = {}
    kept: set[int] = set()
    for pk, model in _alive(project, VersionStatus.READY).order_by("-number").values_list("pk", "model_id"):
        seen[model] = seen.get(model, 0) + 1
        if seen[model] <= keep_last:
            kept.add(pk)
    return kept
