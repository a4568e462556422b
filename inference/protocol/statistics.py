"""The document of V2's statistics extension.

Every duration is `{"count", "ns"}`, cumulative. Nothing is answered from a cache, so its two leaves are zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol


class Duration(Protocol):
    """How often, and how long in sum, in nanoseconds."""

    @property
    def count(self) -> int: ...
    @property
    def ns(self) -> int: ...


class BatchFigures(Protocol):
    """The runs of one size, in rows."""

    @property
    def batch_size(self) -> int: ...
    @property
    def compute_input(self) -> Duration: ...
    @property
    def compute_infer(self) -> Duration: ...
    @property
    def compute_output(self) -> Duration: ...


class VersionFigures(Protocol):
    """`inference_count` is rows, `execution_count` runs; `last_inference` in milliseconds since the epoch."""

    @property
    def version(self) -> int: ...
    @property
    def last_inference(self) -> int: ...
    @property
    def inference_count(self) -> int: ...
    @property
    def execution_count(self) -> int: ...
    @property
    def success(self) -> Duration: ...
    @property
    def fail(self) -> Duration: ...
    @property
    def queue(self) -> Duration: ...
    @property
    def compute_input(self) -> Duration: ...
    @property
    def compute_infer(self) -> Duration: ...
    @property
    def compute_output(self) -> Duration: ...
    @property
    def batches(self) -> Sequence[BatchFigures]: ...


COMPUTE = ("compute_input", "compute_infer", "compute_output")
INFERENCE = ("success", "fail", "queue", *COMPUTE)
NOTHING = {"count": 0, "ns": 0}


def model_stats(
    figures: Mapping[str, Iterable[VersionFigures]], memory_bytes: Mapping[tuple[str, int], int] | None = None
) -> dict[str, Any]:
    """`figures` are by the endpoint's name; `memory_bytes`, by name and version, is what a session takes, if known."""
    known = memory_bytes or {}
    return {
        "model_stats": [
            _version(name, version, known.get((name, version.version)))
            for name, versions in figures.items()
            for version in versions
        ]
    }


def _version(name: str, figures: VersionFigures, memory_bytes: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "version": str(figures.version),
        "last_inference": figures.last_inference,
        "inference_count": figures.inference_count,
        "execution_count": figures.execution_count,
        "inference_stats": {**_leaves(figures, INFERENCE), "cache_hit": NOTHING, "cache_miss": NOTHING},
        "response_stats": {},
        "batch_stats": [{"batch_size": batch.batch_size, **_leaves(batch, COMPUTE)} for batch in figures.batches],
        "memory_usage": [] if memory_bytes is None else [{"type": "CPU", "id": 0, "byte_size": memory_bytes}],
    }


def _leaves(figures: Any, names: Iterable[str]) -> dict[str, dict[str, int]]:
    durations: dict[str, Duration] = {name: getattr(figures, name) for name in names}
    return {name: {"count": duration.count, "ns": duration.ns} for name, duration in durations.items()}
