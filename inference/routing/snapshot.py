"""What a serving process knows of the routing: read from PostgreSQL once and then only what changed since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Prefetch

from inference.models import Endpoint, RoutingState, TrafficShare, WarmRequest
from inference.routing.split import CompiledSplit, from_json
from registry.artifacts.signature import Signature
from registry.models import ModelVersion, VersionStatus


@dataclass(frozen=True, slots=True)
class VersionRef:
    """All that is needed to run a version. `run_seconds` is what validation measured for one row."""

    id: int
    number: int
    sha256: str
    signature: Signature
    run_seconds: float


class Target(NamedTuple):
    variant: str
    version: VersionRef


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `split` is None until something was promoted; `targets` maps variant keys to versions."""

    endpoint_id: int
    slug: str
    project_id: int
    model_id: int
    model_name: str
    salt: str
    epoch: int
    split: CompiledSplit | None
    targets: dict[str, Target]


class Changes(NamedTuple):
    """`sequence` was read before the rest, so that everything up to it is certainly in `routes` and `removed`."""

    sequence: int
    routes: list[Route]
    removed: list[str]
    warm: list[VersionRef]


def version_ref(version: ModelVersion) -> VersionRef:
    facts = version.report.get("facts", {})
    return VersionRef(
        version.pk,
        version.number,
        version.sha256,
        Signature.from_json(version.signature or {}),
        float(facts.get("run_seconds") or 1.0),
    )


def current_sequence() -> int:
    return RoutingState.objects.filter(pk=1).values_list("sequence", flat=True).first() or 0


def read_changes(since: int) -> Changes:
    """Endpoints and warm requests that changed after sequence `since`; -1 reads everything."""
    sequence = current_sequence()
    shares = TrafficShare.objects.select_related("variant__version")
    changed = (
        Endpoint.objects.filter(changed_sequence__gt=since)
        .select_related("model", "live_split")
        .prefetch_related(Prefetch("live_split__shares", queryset=shares))
    )
    routes, removed = [], []
    for endpoint in changed:
        if endpoint.deleted_at:
            removed.append(endpoint.slug)
        else:
            routes.append(_route(endpoint))
    warm = WarmRequest.objects.filter(sequence__gt=since).select_related("version")
    return Changes(sequence, routes, removed, [version_ref(request.version) for request in warm])


def _route(endpoint: Endpoint) -> Route:
    split = endpoint.live_split
    shares = split.shares.all() if split else []
    return Route(
        endpoint.pk,
        endpoint.slug,
        endpoint.project_id,
        endpoint.model_id,
        endpoint.model.name,
        endpoint.salt,
        endpoint.epoch,
        CompiledSplit(from_json(split.table)) if split else None,
        {share.variant.key: Target(share.variant.key, version_ref(share.variant.version)) for share in shares},
    )


def read_version(model_id: int, number: int) -> VersionRef | None:
    """A version that may be pinned: any ready one of the endpoint's model."""
    if not 0 < number < 2**31:
        return None
    found = ModelVersion.objects.filter(model_id=model_id, number=number, status=VersionStatus.READY).first()
    return version_ref(found) if found else None


def still_ready(version_ids: Iterable[int]) -> set[int]:
    return set(
        ModelVersion.objects.filter(pk__in=list(version_ids), status=VersionStatus.READY).values_list("pk", flat=True)
    )
