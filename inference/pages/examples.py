"""Example inputs made from a signature, and the V2 body around them. Pure."""

from __future__ import annotations

from math import prod
from typing import Any

from registry.artifacts.signature import Signature, TensorSpec

MOST_EXAMPLE_VALUES = 64
FIRST_VALUES = {"FP16": 0.5, "FP32": 0.5, "FP64": 0.5, "BOOL": True, "BYTES": "text"}


def one_row(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of the smallest request: every free dimension is 1."""
    return tuple(1 if size == -1 else size for size in spec.shape)


def example_values(spec: TensorSpec) -> list[Any]:
    """One row's values, flat. Too many of them for a page give none."""
    count = prod(one_row(spec))
    return [FIRST_VALUES.get(spec.datatype, 1)] * count if count <= MOST_EXAMPLE_VALUES else []


def body_of(signature: Signature, values: dict[str, list[Any]], shapes: dict[str, list[int]]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": spec.name, "shape": shapes[spec.name], "datatype": spec.datatype, "data": values[spec.name]}
            for spec in signature.inputs
        ]
    }


def example_body(signature: Signature, given: dict[str, list[Any]] | None = None) -> dict[str, Any]:
    """A body that the model takes; `given` are better values than made-up ones, where somebody knows them."""
    values = {spec.name: (given or {}).get(spec.name) or example_values(spec) for spec in signature.inputs}
    return body_of(signature, values, {spec.name: list(one_row(spec)) for spec in signature.inputs})
