from __future__ import annotations

from typing import Any

import pytest

from registry.artifacts.isolation import MAX_MEMORY_BYTES, REASONS, verdict


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({}, []),
        ({"risks": [], "run_seconds": None, "session_memory_bytes": 0}, []),
        ({"risks": ["loop", "dynamic_size"]}, ["loop", "dynamic_size"]),
        ({"session_memory_bytes": MAX_MEMORY_BYTES, "run_memory_bytes": 0}, []),
        ({"session_memory_bytes": MAX_MEMORY_BYTES, "run_memory_bytes": 1}, ["memory"]),
        ({"peak_memory_bytes": 10 * MAX_MEMORY_BYTES}, []),
        ({"run_seconds": 1.0}, []),
        ({"run_seconds": 1.5, "risks": ["text_growth"]}, ["text_growth", "slow"]),
        ({"probe": "refused"}, []),
    ],
)
def test_verdict__facts__reasons_in_order(facts: dict[str, Any], reasons: list[str]) -> None:
    assert verdict(facts) == {"isolated": bool(reasons), "isolation_reasons": reasons}


def test_reasons__each__continues_a_sentence() -> None:
    assert all(text[0].islower() and not text.endswith(".") for text in REASONS.values())
