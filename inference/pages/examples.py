"""Example requests made from a signature and a manifest: one row, and the body around it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from registry.artifacts.signature import TensorSpec

if TYPE_CHECKING:
    from inference.pages.described import Described

MOST_EXAMPLE_VALUES = 64
FIRST_VALUES = {"FP16": 0.5, "FP32": 0.5, "FP64": 0.5, "BOOL": True, "BYTES": "text"}


@dataclass(frozen=True, slots=True)
class Fill:
    """Stands for more values than a page should show: `value` in this shape."""

    value: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Stands for a picture, 3 bytes a pixel, as base64."""

    width: int
    height: int

    @property
    def n_bytes(self) -> int:
        return self.width * self.height * 3


def one_row(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of the smallest request: every free dimension is 1."""
    return tuple(1 if size == -1 else size for size in spec.shape)


def first_value(spec: TensorSpec) -> Any:
    return FIRST_VALUES.get(spec.datatype, 1)


def example_values(spec: TensorSpec) -> list[Any]:
    """One row's values, flat. Too many of them for a page give none."""
    count = prod(one_row(spec))
    return [first_value(spec)] * count if count <= MOST_EXAMPLE_VALUES else []


def example_body(about: Described) -> dict[str, Any]:
    """A request that this version takes, with Fill and Pixels in it: V2, or V1 where the manifest has to be applied."""
    if not about.travels.is_preparing:
        return {"inputs": [_tensor(about, spec) for spec in about.signature.inputs]}
    specs = about.travels.asked.inputs
    by_row = all(spec.shape[:1] == (-1,) for spec in specs)
    parts = {spec.name: _values(about, spec, by_row) for spec in specs}
    whole = parts if len(parts) > 1 else next(iter(parts.values()))
    return {"instances": [whole]} if by_row else {"inputs": whole}


def body_text(about: Described) -> str:
    """The body for a box on a page, one line an input; what is too long for one is left empty."""
    body = example_body(about)
    if "instances" in body or isinstance(body["inputs"], dict):
        return json.dumps(body, default=_left_out)
    return '{"inputs": [\n  ' + ",\n  ".join(json.dumps(item, default=_left_out) for item in body["inputs"]) + "\n]}"


def _left_out(value: Fill | Pixels) -> Any:
    return "" if isinstance(value, Pixels) else []


def _tensor(about: Described, spec: TensorSpec) -> dict[str, Any]:
    shape = one_row(spec)
    values = about.row_of(spec) or Fill(first_value(spec), (prod(shape),))
    return {"name": spec.name, "shape": list(shape), "datatype": spec.datatype, "data": values}


def _values(about: Described, spec: TensorSpec, by_row: bool) -> Any:
    """What V1 takes for one input: of one row, or of the whole tensor."""
    shape = one_row(spec)[1:] if by_row else one_row(spec)
    step, values, names = about.travels.steps.get(spec.name), about.row_of(spec), about.names_of(spec)
    if step and step.picture:
        pixels = Pixels(step.picture.width, step.picture.height)
        return {"b64": pixels} if by_row else [{"b64": pixels}] * one_row(spec)[0]
    if not values:
        return Fill(first_value(spec), shape)
    if by_row and names and len(names) == len(values) and len(about.signature.inputs) == 1:
        return dict(zip(names, values, strict=True))
    return nested(values, shape)


def nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    """The flat values as nested lists of this shape; a bare value for no dimension."""
    if not shape:
        return values[0]
    size = prod(shape[1:])
    return [nested(values[size * index : size * (index + 1)], shape[1:]) for index in range(shape[0])]
