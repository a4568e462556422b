"""Which process has loaded what. Sessions belong to bytes; the caller sees those of which he may see a version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from inference.models import ServingProcess, TrafficShare
from inference.selectors.endpoints import endpoints_for, serving_processes
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, VersionStatus

LOADABLE = (VersionStatus.READY, VersionStatus.ARCHIVED)


class LivePlace(NamedTuple):
    """An endpoint whose live split gives a version traffic."""

    slug: str
    key: str
    weight_bp: int


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    version: ModelVersion
    places: list[LivePlace]


@dataclass(frozen=True, slots=True)
class LoadedSession:
    """One session in one process; the same bytes may be a version of several models. Memory is in bytes."""

    sha256: str
    versions: list[LoadedVersion]
    memory_bytes: int
    runs: int
    last_used: datetime | None
    isolated: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class ProcessLoad:
    """`leased`: it may answer from memory now. `n_hidden` sessions belong to projects that the caller does not see."""

    process: ServingProcess
    leased: bool
    sessions: list[LoadedSession]
    n_hidden: int


def loads_for(principal: Principal) -> list[ProcessLoad]:
    """Every serving process, in order of host and pid; nothing for who belongs to no project."""
    if not (principal.is_superuser or principal.roles):
        return []
    leased = ExpressionWrapper(Q(lease_expires_at__gt=Now()), BooleanField())
    processes = list(serving_processes().annotate(leased=leased))
    digests = {str(row.get("sha256")) for process in processes for row in process.sessions}
    known = _versions_by_digest(principal, digests)
    return [_load(process, known) for process in processes]


def _load(process: Any, known: dict[str, list[LoadedVersion]]) -> ProcessLoad:
    seen = [_session(row, known[row["sha256"]]) for row in process.sessions if row.get("sha256") in known]
    return ProcessLoad(process, process.leased, seen, len(process.sessions) - len(seen))


def _session(row: dict[str, Any], versions: list[LoadedVersion]) -> LoadedSession:
    used = row.get("last_used")
    return LoadedSession(
        row["sha256"],
        versions,
        int(row.get("memory_bytes") or 0),
        int(row.get("runs") or 0),
        datetime.fromtimestamp(used, UTC) if used else None,
        bool(row.get("isolated")),
        int(row.get("restarts") or 0),
    )


def _versions_by_digest(principal: Principal, digests: Iterable[str]) -> dict[str, list[LoadedVersion]]:
    visible = policy.visible(principal, "model__project_id")
    there = ModelVersion.objects.filter(visible, sha256__in=list(digests), status__in=LOADABLE, deleted_at=None)
    rows = there.select_related("model")
    versions = list(rows.order_by("model__name", "number"))
    places = live_places(principal, versions)
    found: dict[str, list[LoadedVersion]] = {}
    for version in versions:
        found.setdefault(version.sha256, []).append(LoadedVersion(version, places.get(version.pk, [])))
    return found


def live_places(principal: Principal, versions: Iterable[ModelVersion]) -> dict[int, list[LivePlace]]:
    """For each version id, the endpoints that the caller may see and that send it traffic now."""
    endpoints = endpoints_for(principal).order_by().values("pk")
    shares = TrafficShare.objects.filter(
        variant__version__in=[version.pk for version in versions],
        variant__endpoint__in=endpoints,
        split__pk=F("variant__endpoint__live_split"),
        weight_bp__gt=0,
    )
    found: dict[int, list[LivePlace]] = {}
    columns = ("variant__version_id", "variant__endpoint__slug", "variant__key", "weight_bp")
    for version_id, *place in shares.order_by("variant__endpoint__slug", "pk").values_list(*columns):
        found.setdefault(version_id, []).append(LivePlace(*place))
    return found
