"""What the readers give: the rows of one chunk as arrays, and those that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod
from typing import Any, NamedTuple

import numpy as np

from inference.batch.faults import BadRow
from inference.batch.layout import InputLayout
from inference.batch.values import float_limit, integer_limits
from inference.protocol.datatypes import FLOATS
from registry.artifacts.signature import NUMPY_DTYPES


class Batch(NamedTuple):
    """Rows whose values have the same shapes. `inputs` have the rows along their first axis; `rows` are ascending."""

    rows: np.ndarray
    inputs: dict[str, np.ndarray]


class GoodRow(NamedTuple):
    """For each input, the row's flat values and their shape."""

    row: int
    values: list[list[Any]]
    shapes: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Parsed:
    """`lines` gives each row's line in the file; the batches follow each other in the order of their rows."""

    lines: Sequence[int]
    batches: list[Batch] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def batches_of(inputs: Sequence[InputLayout], rows: Sequence[GoodRow]) -> list[Batch]:
    """Neighbours of equal shapes stand in one batch."""
    batches = []
    for shapes, same in groupby(rows, key=lambda row: row.shapes):
        group = list(same)
        arrays = {
            item.name: _array(item.datatype, [row.values[place] for row in group], shapes[place])
            for place, item in enumerate(inputs)
        }
        batches.append(Batch(np.array([row.row for row in group]), arrays))
    return batches


def _array(datatype: str, values: list[list[Any]], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty((len(values), prod(shape)), NUMPY_DTYPES[datatype])
    array[:] = values
    return array.reshape(len(values), *shape)


def converted(values: np.ndarray, datatype: str) -> np.ndarray | None:
    """Float64 or integer `values` as the datatype; None if one of them needs a closer look."""
    if not values.size:
        return values.astype(NUMPY_DTYPES[datatype])
    if datatype in FLOATS:
        if not np.isfinite(values).all() or np.abs(values).max() > float_limit(datatype):
            return None
    else:
        low, high = (0, 1) if datatype == "BOOL" else integer_limits(datatype)
        if int(values.min()) < low or int(values.max()) > high:
            return None
    return values.astype(NUMPY_DTYPES[datatype])
