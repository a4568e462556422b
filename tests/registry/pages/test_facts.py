from __future__ import annotations

from typing import Any

import pytest

from registry.artifacts.isolation import REASONS
from registry.pages.facts import fact_lines


def shown(**facts: Any) -> dict[str, str]:
    return {str(label): text for label, text in fact_lines(facts)}


def test_fact_lines__unknown_or_empty__left_out() -> None:
    assert shown(producer="", batching=None, batch_coupled=None, something="else") == {}


def test_fact_lines__plain_facts__in_words() -> None:
    facts = shown(n_nodes=12345, dynamic_batch=True, deterministic=False, opsets={"ai.onnx": 20, "ai.onnx.ml": 3})
    assert facts == {
        "Nodes": "12\N{NARROW NO-BREAK SPACE}345",
        "Takes batches": "yes",
        "Same answer twice": "no",
        "Opset": "20, ai.onnx.ml 3",
    }


@pytest.mark.parametrize(
    ("reasons", "text"),
    [
        (["loop"], "in a process of its own, because its inputs say how often its loops run"),
        (
            ["loop", "slow"],
            f"in a process of its own, because {REASONS['loop']} and {REASONS['slow']}",
        ),
    ],
)
def test_fact_lines__isolated__says_why(reasons: list[str], text: str) -> None:
    assert shown(isolated=True, isolation_reasons=reasons) == {"Runs": text}


def test_fact_lines__not_isolated__in_the_serving_process() -> None:
    assert shown(isolated=False, isolation_reasons=[]) == {"Runs": "in the serving process"}


@pytest.mark.parametrize(
    ("batching", "text"),
    [
        ({"max_size": 1, "gain": 1.02}, "no"),
        ({"max_size": 16, "gain": 4.97}, "up to 16 rows; the model itself is 5.0 times as fast then"),
    ],
)
def test_fact_lines__batching__how_many(batching: dict[str, Any], text: str) -> None:
    assert shown(batching=batching) == {"Requests may share a run": text}
