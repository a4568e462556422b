"""What a serving process knows of the routing: read from PostgreSQL once and then only what changed since."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import Prefetch

from inference.models import Endpoint, Quarantine, RoutingState, TrafficShare, WarmRequest
from inference.routing.split import CompiledSplit, from_json
from registry.artifacts.signature import Signature
from registry.models import ModelAlias, ModelVersion, VersionStatus

# A model's id, and the number (as text) or alias of one of its versions.
VersionKey = tuple[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class VersionRef:
    """All that is needed to run a version. What validation measured: `run_seconds` for one row and `row_seconds` for
    each further one, the rows that may be joined in a run, whether it needs a process of its own, and the rest of the
    facts as they are.
    """

    id: int
    number: int
    sha256: str
    signature: Signature
    run_seconds: float
    row_seconds: float = 0.0
    isolated: bool = False
    quarantined: bool = False
    batch_size: int = 1
    memory_bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


class Target(NamedTuple):
    variant: str
    version: VersionRef


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One endpoint. `split` is None until something was promoted; `targets` maps variant keys to versions.

    `deadline` and `batch_delay` are in seconds; `batch_size` None leaves it to each version's own.
    """

    endpoint_id: int
    slug: str
    project_id: int
    model_id: int
    model_name: str
    salt: str
    epoch: int
    split: CompiledSplit | None
    targets: dict[str, Target]
    deadline: float = 30.0
    batch_size: int | None = None
    batch_delay: float = 0.0
    unloaded: bool = False


class Changes(NamedTuple):
    """`sequence` was read before the rest, so that everything up to it is certainly in `routes` and `removed`.

    `locked_away` are the digests of all versions in quarantine.
    """

    sequence: int
    routes: list[Route]
    removed: list[str]
    warm: list[VersionRef]
    locked_away: set[str]


def version_ref(version: ModelVersion, quarantined: Container[int] = ()) -> VersionRef:
    facts = version.report.get("facts", {})
    batching = facts.get("batching") or {}
    seconds = float(facts.get("run_seconds") or 1.0)
    return VersionRef(
        version.pk,
        version.number,
        version.sha256,
        Signature.from_json(version.signature or {}),
        seconds,
        _row_seconds(seconds, int(batching.get("max_size") or 1), float(batching.get("gain") or 1.0)),
        isolated=_needs_isolation(facts),
        quarantined=version.pk in quarantined,
        batch_size=int(batching.get("max_size") or 1),
        memory_bytes=int(facts.get("session_memory_bytes") or 0),
        facts=facts,
    )


def _row_seconds(one: float, n_rows: int, gain: float) -> float:
    """Joining `n_rows` was `gain` times as fast as running them one by one: what each row but the first cost there."""
    if n_rows < 2:
        return one
    return max(one / 100, (n_rows * one / gain - one) / (n_rows - 1))


def _needs_isolation(facts: dict[str, Any]) -> bool:
    """Versions from before validation gave a verdict go by the risks that it found."""
    return bool(facts.get("isolated", facts.get("risks")))


def quarantined_versions() -> dict[int, str]:
    """The digest of each version in quarantine, by the version's id."""
    return dict(Quarantine.objects.filter(released_at=None).values_list("version_id", "version__sha256"))


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
    quarantined = quarantined_versions()
    routes, removed = [], []
    for endpoint in changed:
        if endpoint.deleted_at:
            removed.append(endpoint.slug)
        else:
            routes.append(_route(endpoint, quarantined))
    warm = WarmRequest.objects.filter(sequence__gt=since).select_related("version")
    warmed = [version_ref(request.version, quarantined) for request in warm]
    return Changes(sequence, routes, removed, warmed, set(quarantined.values()))


def _route(endpoint: Endpoint, quarantined: Container[int]) -> Route:
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
        {
            share.variant.key: Target(share.variant.key, version_ref(share.variant.version, quarantined))
            for share in shares
        },
        deadline=endpoint.deadline_ms / 1000,
        batch_size=endpoint.batch_size,
        batch_delay=endpoint.batch_delay_us / 1e6,
        unloaded=endpoint.unloaded_at is not None,
    )


def read_versions(keys: Iterable[VersionKey]) -> dict[VersionKey, VersionRef]:
    """The ready versions among (model id, number as text or alias): what a caller may name in a URL."""
    wanted = [key for key in keys if key[1]]
    if not wanted:
        return {}
    quarantined = quarantined_versions()
    found = {key: _number_of(key[1]) for key in wanted}
    aliases = _aliases(key for key, number in found.items() if number is None)
    numbers = {key: number if number is not None else aliases.get(key, 0) for key, number in found.items()}
    ready = ModelVersion.objects.filter(status=VersionStatus.READY, model__in={model for model, _name in wanted})
    by_number = {
        (version.model_id, version.number): version_ref(version, quarantined)
        for version in ready.filter(number__in=set(numbers.values()))
    }
    return {key: by_number[key[0], number] for key, number in numbers.items() if (key[0], number) in by_number}


def read_version(model_id: int, name: str) -> VersionRef | None:
    return read_versions([(model_id, name)]).get((model_id, name))


def _number_of(name: str) -> int | None:
    """None where it is no number, so it may be an alias; 0, which no version has, where it is too big for one."""
    if not (name.isascii() and name.isdigit()):
        return None
    return int(name) if len(name) < 10 else 0


def _aliases(keys: Iterable[VersionKey]) -> dict[VersionKey, int]:
    wanted = [(model, name) for model, name in keys if len(name) <= 255 and "\x00" not in name]
    if not wanted:
        return {}
    found = ModelAlias.objects.filter(model__in={model for model, _n in wanted}, name__in={name for _m, name in wanted})
    return {(model, name): number for model, name, number in found.values_list("model_id", "name", "version__number")}
