"""Kept tensors as a page shows them: V2 JSON text to values, and two answers side by side."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.utils.translation import gettext as _

from inference.protocol.agreement import ATOL, RTOL

MOST_SHOWN, MOST_IN_LINE = 100, 40


class Tensor(NamedTuple):
    """`data` is flat, in row-major order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]

    @property
    def shown(self) -> list[str]:
        return [_shown(value) for value in self.data[:MOST_IN_LINE]]

    @property
    def n_hidden(self) -> int:
        return max(0, len(self.data) - MOST_IN_LINE)


class Cell(NamedTuple):
    """The values at one `place`, such as [0, 3], as text; `gap` is empty where the two agree."""

    place: str
    one: str
    other: str
    gap: str


class Beside(NamedTuple):
    """One output of both answers; `shape` is of the first. `n_hidden` cells are left out, first those that agree."""

    name: str
    datatype: str
    shape: list[int]
    cells: list[Cell]
    n_differ: int
    n_hidden: int


def tensors_of(text: str) -> list[Tensor] | None:
    """None where the text is no whole answer: it was cut off, or is the sentence why there is none."""
    try:
        document = orjson.loads(text)
        tensors = next(iter(document.values()))
        return [Tensor(item["name"], item["datatype"], item["shape"], item["data"]) for item in tensors]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, StopIteration):
        return None


def side_by_side(one: str, other: str) -> list[Beside] | None:
    """None where one of them cannot be read."""
    first, second = tensors_of(one), tensors_of(other)
    if first is None or second is None:
        return None
    by_name = {tensor.name: tensor for tensor in second}
    return [_beside(tensor, by_name.get(tensor.name)) for tensor in first]


def _beside(one: Tensor, other: Tensor | None) -> Beside:
    data = [] if other is None else other.data
    positions = range(max(len(one.data), len(data)))
    apart = [position for position in positions if _differ(_at(one.data, position), _at(data, position))]
    alike = sorted(set(positions).difference(apart))
    shown = sorted([*apart, *alike][:MOST_SHOWN])
    shape = one.shape if prod(one.shape) == len(one.data) else [len(one.data)]
    cells = [_cell(position, shape, _at(one.data, position), _at(data, position)) for position in shown]
    return Beside(one.name, one.datatype, one.shape, cells, len(apart), len(positions) - len(shown))


MISSING = object()


def _at(data: list[Any], position: int) -> Any:
    return data[position] if position < len(data) else MISSING


def _differ(one: Any, other: Any) -> bool:
    """By the same measure as the comparison itself."""
    if isinstance(one, float) and isinstance(other, float):
        return not (one == other or abs(one - other) <= ATOL + RTOL * abs(other))
    return bool(one != other)


def _cell(position: int, shape: list[int], one: Any, other: Any) -> Cell:
    inside = position < prod(shape)
    place = ", ".join(str(part) for part in np.unravel_index(position, shape)) if inside and shape else str(position)
    gap = ""
    if _differ(one, other):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        gap = f"{other - one:+.6g}" if numbers else _("differs")
    return Cell(f"[{place}]", _shown(one), _shown(other), gap)


def _shown(value: Any) -> str:
    if value is MISSING:
        return _("missing")
    if value is None:
        return _("not finite")
    return f"{value:.9g}" if isinstance(value, float) else str(value)
