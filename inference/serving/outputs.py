"""What can be wrong with the outputs of a run that ended well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from inference.runtime.tensors import DTYPES
from registry.artifacts.signature import TensorSpec

BFLOAT16 = DTYPES["BF16"]


def all_finite(arrays: Sequence[np.ndarray]) -> bool:
    """False for an answer with NaN or an infinity in it."""
    for array in arrays:
        if array.dtype.kind == "f":
            # The sum of squares is quicker than a look at each number, and finite only if all are; but it may overflow.
            if not isfinite(np.vdot(array, array)) and not np.isfinite(array).all():
                return False
        elif array.dtype == BFLOAT16 and not np.isfinite(array).all():
            return False
    return True


class Promised(NamedTuple):
    """One output as the signature has it, made ready for comparing."""

    dtype: np.dtype
    rank: int
    sizes: tuple[int, ...]

    def holds(self, array: np.ndarray) -> bool:
        """The first dimension may be any: files that were exported with one row often declare 1 there, and answer with
        as many rows as came."""
        shape = array.shape
        if len(shape) != self.rank or array.dtype != self.dtype:
            return False
        sizes = shape[1:]
        if sizes == self.sizes:
            return True
        return all(size == wanted or wanted == -1 for size, wanted in zip(sizes, self.sizes, strict=True))


def promised(specs: Iterable[TensorSpec]) -> dict[str, Promised]:
    return {spec.name: Promised(DTYPES[spec.datatype], len(spec.shape), spec.shape[1:]) for spec in specs}
