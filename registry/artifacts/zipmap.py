"""A classifier's list of dictionaries, as ZipMap gives it, turned into a plain tensor and the labels of its columns.

scikit-learn's converters end in ZipMap by default: `[{"cat": 0.9, "dog": 0.1}, ...]`, one dictionary a row, all with
the same keys. The tensor is FP32 [rows, classes]; its columns stand in the ascending order of the labels, which is that
of scikit-learn's `classes_`. Numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from registry.artifacts.signature import ZIPMAP_TYPES

Label = int | str
Rows = Sequence[Mapping[Label, float]]


def zipmap_outputs(outputs: Iterable[Any]) -> set[str]:
    """The names of those that are lists of dictionaries; `outputs` are onnxruntime's NodeArg."""
    return {output.name for output in outputs if output.type in ZIPMAP_TYPES}


def labels_of(rows: Rows) -> list[Label]:
    """In the order of the columns; nothing for no rows."""
    return sorted(rows[0]) if rows else []


def as_tensor(rows: Rows, n_classes: int) -> np.ndarray[Any, np.dtype[Any]]:
    """FP32 [rows, n_classes]. Raises ValueError where a row has other labels than the first, or another number."""
    labels = labels_of(rows)
    if rows and len(labels) != n_classes:
        raise ValueError(f"{len(labels)} classes where {n_classes} are declared")
    try:
        values = [[row[label] for label in labels] for row in rows]
    except KeyError:
        raise ValueError("the rows have different labels") from None
    if any(len(row) != n_classes for row in rows):
        raise ValueError("the rows have different labels")
    return np.asarray(values, np.float32).reshape(len(rows), n_classes)
