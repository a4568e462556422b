"""The document of V2's statistics extension.

Every duration is `{"count", "ns"}`, cumulative. Nothing is answered from a cache, so its two leaves are zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Duration:
    """How often, and how long in sum, in nanoseconds."""

    count: int
    ns: int


@dataclass(frozen=True)
class BatchStatistics:
    """The runs of one size: `batch_size` is in rows."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


@dataclass(frozen=True)
class VersionStatistics:
    """`inference_count` is rows, `execution_count` runs of the model; `last_inference` in milliseconds since the epoch,
    0 if there was none. `queue` and the three of `compute` are of good answers only."""

    version: int
    last_inference: int
    inference_count: int
    execution_count: int
    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    batches: list[BatchStatistics]


COMPUTE = ("compute_input", "compute_infer", "compute_output")
INFERENCE = ("success", "fail", "queue", *COMPUTE)
NOTHING = {"count": 0, "ns": 0}


def model_stats(
    figures: Mapping[str, Iterable[VersionStatistics]], memory_bytes: Mapping[tuple[str, int], int] | None = None
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


def _version(name: str, figures: VersionStatistics, memory_bytes: int | None) -> dict[str, Any]:
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
