"""What a serving process knows of the routing: read from PostgreSQL once and then only what changed since."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import Prefetch
from django.utils import timezone

from inference.models import Endpoint, Quarantine, RoutingState, TrafficShare, WarmRequest
from inference.routing.assignment import Assignment, Rule, compile_assignment, compile_rules
from inference.routing.split import CompiledSplit, from_json
from registry.artifacts.manifest import with_report_labels
from registry.artifacts.model_files import Artifact, ModelFile, Subject, files_from_json
from registry.artifacts.signature import Signature
from registry.models import ModelAlias, ModelVersion, VersionStatus
from registry.services.archives import artifact_of
from registry.services.artifacts import seal_holds

# A model's id, and the number (as text) or alias of one of its versions.
VersionKey = tuple[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class VersionRef:
    """All that is needed to run a version. What validation measured: `run_seconds` for one row and `row_seconds` for
    each further one, the rows that may be joined in a run, whether it needs a process of its own, and the rest of the
    facts as they are.

    `tampered`: its seal is not this version's, so no session of its digest is its own, whoever has loaded it.
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
    files: tuple[ModelFile, ...] = ()
    seal: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    model_id: int = 0
    tampered: bool = False

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.sha256, self.files, self.seal, Subject(self.model_id, self.number))


class Target(NamedTuple):
    variant: str
    version: VersionRef


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One endpoint. `split` is None until something was promoted; `targets` maps variant keys to versions.

    `deadline` and `batch_delay` are in seconds; `batch_size` None leaves it to each version's own.

    `salt` is the one that counts for the live split; `assignment` None is the usual way, the header X-Routing-Key.
    `split_id` and `revision` are 0 where nothing is live. `mirror_bp` of 10 000 answers are repeated by `shadow`,
    `capture_bp` are kept, of `capture_bytes` at most. `kept` stay loaded without any traffic, until `kept_until`, in
    seconds since the epoch.
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
    assignment: Assignment | None = None
    rules: tuple[Rule, ...] = ()
    split_id: int = 0
    revision: int = 0
    rollout_id: int | None = None
    experiment_id: int | None = None
    shadow: VersionRef | None = None
    mirror_bp: int = 0
    capture_bp: int = 0
    capture_bytes: int = 0
    kept: tuple[VersionRef, ...] = ()
    kept_until: float = 0.0

    @property
    def is_counted(self) -> bool:
        """Whether its answers are evidence."""
        return self.rollout_id is not None or self.experiment_id is not None

    @property
    def is_watched(self) -> bool:
        """Whether anything has to be done after an answer."""
        return self.is_counted or self.shadow is not None or self.capture_bp > 0

    def versions(self, now: float) -> list[VersionRef]:
        """All that should be loaded: to answer by this route, and to go back to the one before. `now` is in seconds
        since the epoch."""
        found = [target.version for target in self.targets.values()]
        if self.shadow is not None:
            found.append(self.shadow)
        return [*found, *self.kept] if self.kept_until > now else found


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
        files=files_from_json(version.files),
        seal=version.seal,
        manifest=with_report_labels(version.manifest, facts),
        model_id=version.model_id,
        tampered=not seal_holds(artifact_of(version)),
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
        .select_related("model", "live_split__shadow_version", "warm_version")
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
    return Route(
        endpoint.pk,
        endpoint.slug,
        endpoint.project_id,
        endpoint.model_id,
        endpoint.model.name,
        epoch=endpoint.epoch,
        deadline=endpoint.deadline_ms / 1000,
        batch_size=endpoint.batch_size,
        batch_delay=endpoint.batch_delay_us / 1e6,
        unloaded=endpoint.unloaded_at is not None,
        capture_bp=endpoint.capture_bp,
        capture_bytes=endpoint.capture_bytes,
        **_of_split(endpoint, quarantined),
        **_kept(endpoint, quarantined),
    )


def _of_split(endpoint: Endpoint, quarantined: Container[int]) -> dict[str, Any]:
    split = endpoint.live_split
    if split is None:
        return {"salt": endpoint.salt, "split": None, "targets": {}}
    shadow = split.shadow_version
    targets = {
        share.variant.key: Target(share.variant.key, version_ref(share.variant.version, quarantined))
        for share in split.shares.all()
    }
    return {
        "salt": split.salt or endpoint.salt,
        "split": CompiledSplit(from_json(split.table)),
        "targets": targets,
        "assignment": compile_assignment(split.assignment),
        "rules": compile_rules(split.rules, targets),
        "split_id": split.pk,
        "revision": split.revision,
        "rollout_id": split.rollout_id,
        "experiment_id": split.experiment_id,
        "shadow": None if shadow is None or shadow.pk in quarantined else version_ref(shadow),
        "mirror_bp": split.mirror_bp,
    }


def _kept(endpoint: Endpoint, quarantined: Container[int]) -> dict[str, Any]:
    version, until = endpoint.warm_version, endpoint.warm_until
    if version is None or until is None or until <= timezone.now() or version.pk in quarantined:
        return {}
    return {"kept": (version_ref(version),), "kept_until": until.timestamp()}


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
