"""Two versions of one model side by side: what differs, as data. Pages put it into words, the API into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.artifacts.signature import Signature
from registry.artifacts.signature_diff import SignatureDiff, diff
from registry.models import ModelVersion

MOST_HISTORY = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that either version may have; None where it has not."""

    name: str
    before: Any
    after: Any

    @property
    def same(self) -> bool:
        return bool(self.before == self.after)

    @property
    def change(self) -> float | None:
        """After minus before, where both are numbers."""
        both = isinstance(self.before, int | float) and isinstance(self.after, int | float)
        return self.after - self.before if both else None

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "a": self.before, "b": self.after, "same": self.same}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`signature` is None where either version never passed validation. Lines stand by name."""

    before: ModelVersion
    after: ModelVersion
    signature: SignatureDiff | None
    sections: dict[str, list[Line]]

    def as_json(self, *, only_differences: bool = False) -> dict[str, Any]:
        return {
            "model": self.before.model.name,
            "a": _head(self.before),
            "b": _head(self.after),
            "signature": self.signature.as_json() if self.signature else None,
            **{
                name: [line.as_json() for line in lines if not (only_differences and line.same)]
                for name, lines in self.sections.items()
            },
        }


def compare(before: ModelVersion, after: ModelVersion) -> Comparison:
    sections = {
        "metrics": _lines(before.metrics, after.metrics),
        "artifact": _lines(_artifact(before), _artifact(after)),
        "facts": _lines(_facts(before), _facts(after)),
        "manifest": _lines(before.manifest, after.manifest),
        "tags": _lines(before.tags, after.tags),
        "lineage": _lines(_origin(before), _origin(after)),
    }
    return Comparison(before, after, _signatures(before, after), sections)


def _signatures(before: ModelVersion, after: ModelVersion) -> SignatureDiff | None:
    if not before.signature or not after.signature:
        return None
    return diff(Signature.from_json(before.signature), Signature.from_json(after.signature))


def _lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    return [Line(name, before.get(name), after.get(name)) for name in sorted({*before, *after})]


def _artifact(version: ModelVersion) -> dict[str, Any]:
    return {
        "status": version.status,
        "size": version.size,
        "sha256": version.sha256,
        "file_name": version.file_name or None,
        "n_files": max(1, len(version.files)),
    }


def _facts(version: ModelVersion) -> dict[str, Any]:
    facts = (version.report or {}).get("facts")
    return facts if isinstance(facts, dict) else {}


def _origin(version: ModelVersion) -> dict[str, Any]:
    """The lineage with the run's parts beside the others: `run.id`, `run.name` and so on."""
    run = version.lineage.get("run") or {}
    rest = {key: value for key, value in version.lineage.items() if key != "run"}
    return {**rest, **{f"run.{key}": value for key, value in run.items()}}


def _head(version: ModelVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "status": version.status,
        "aliases": [alias.name for alias in version.aliases.all()],
        "created_by": version.created_by.username if version.created_by else None,
        "created_at": version.created_at,
    }


def metric_history(version: ModelVersion) -> dict[str, list[tuple[int, float]]]:
    """For each metric the newest versions' values as (number, value), oldest first."""
    rows = ModelVersion.objects.filter(model=version.model_id, deleted_at=None).order_by("-number")
    found: dict[str, list[tuple[int, float]]] = {}
    for number, metrics in reversed(rows.values_list("number", "metrics")[:MOST_HISTORY]):
        for name, value in metrics.items():
            found.setdefault(name, []).append((number, value))
    return found
