"""The two answers to one replayed request, value beside value."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from inference.models import ReplayDiff
from inference.protocol.agreement import ATOL, RTOL

MOST_VALUES = 60


class Value(NamedTuple):
    text: str
    differs: bool


class Tensor(NamedTuple):
    """An output's values on one side, at most `MOST_VALUES`; `is_cut` says that there are more."""

    name: str
    values: list[Value]
    is_cut: bool


class Row(NamedTuple):
    """One request. A side that is no tensors, such as an error, stands as `stable_text` or `candidate_text`."""

    diff: ReplayDiff
    inputs: str
    stable: list[Tensor]
    candidate: list[Tensor]
    stable_text: str
    candidate_text: str


def rows_of(diffs: list[ReplayDiff]) -> list[Row]:
    return [_row(diff) for diff in diffs]


def _row(diff: ReplayDiff) -> Row:
    stable, candidate = _outputs(diff.stable_outputs), _outputs(diff.candidate_outputs)
    return Row(
        diff,
        diff.inputs,
        _tensors(stable, candidate),
        _tensors(candidate, stable),
        "" if stable else diff.stable_outputs,
        "" if candidate else diff.candidate_outputs,
    )


def _outputs(text: str) -> dict[str, list[Any]]:
    """The values by output; nothing where the text was cut off or is none of V2's."""
    try:
        return {str(item["name"]): list(item["data"]) for item in orjson.loads(text)["outputs"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _tensors(own: dict[str, list[Any]], other: dict[str, list[Any]]) -> list[Tensor]:
    return [_tensor(name, values, other.get(name, [])) for name, values in own.items()]


def _tensor(name: str, values: list[Any], others: list[Any]) -> Tensor:
    pairs = list(zip_longest(values[:MOST_VALUES], others[: len(values)][:MOST_VALUES]))
    return Tensor(name, [Value(_text(one), not _alike(one, two)) for one, two in pairs], len(values) > MOST_VALUES)


def _alike(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=RTOL, abs_tol=ATOL)
    return bool(one == two)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "NaN" if value is None else str(value)
