"""Which versions run in a process of their own, so that what a body makes of them ends no serving process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a serving process bears beside its other versions.
MAX_MEMORY_BYTES = 1 << 30
# A deadline ends a run only between two nodes; the run of a slower version may have to be ended with its process.
MAX_RUN_SECONDS = 1.0

# Why, by code; each follows the word "because".
REASONS: dict[str, str] = {
    "loop": "its inputs say how often its loops run",
    "integer_division": "it divides whole numbers from its inputs, and the smallest by -1 ends a process",
    "dynamic_size": "values in its inputs say how much memory it takes",
    "text_growth": "it may make very long texts of short ones",
    "memory": "it needs more than 1 GB of memory",
    "slow": "it takes more than a second for one row",
}


def verdict(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`isolated`, and why as `isolation_reasons`: the risks of the graph first, then what was measured.

    A version that was not tried out, because it refuses made-up inputs, is judged by its graph alone: most of these are
    honest, and one that wants to harm would behave well while it is tried out.
    """
    reasons = [code for code in facts.get("risks") or () if code in REASONS]
    if _memory(facts) > MAX_MEMORY_BYTES:
        reasons.append("memory")
    if (facts.get("run_seconds") or 0.0) > MAX_RUN_SECONDS:
        reasons.append("slow")
    return {"isolated": bool(reasons), "isolation_reasons": reasons}


def _memory(facts: Mapping[str, Any]) -> int:
    """What the session takes, and what its runs left allocated. The peak would count the validation's own copies."""
    return sum(int(facts.get(name) or 0) for name in ("session_memory_bytes", "run_memory_bytes"))
