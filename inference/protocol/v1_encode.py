"""Arrays to V1's answer: `predictions`, one a row, or `outputs`, whole tensors, to a request that had `inputs`.

A model with one output answers bare values, one with several answers objects by output name. NaN and infinities become
`null`, as in V2. Beside them stands `labels`, where the version has names for its classes: by output, one for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from inference.protocol.preprocessing import label_texts
from inference.protocol.request import InferRequest
from inference.runtime.tensors import quoted
from portal.lib.errors import Unprocessable
from registry.artifacts.signature import TensorSpec


def encode_predict(request: InferRequest, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> bytes:
    """`specs` are the outputs' in the order of `arrays`. Raises Unprocessable if an output does not fit the form."""
    for spec in specs:
        if spec.datatype == "BF16":
            raise Unprocessable(
                f"Output {quoted(spec.name)} is BF16, which JSON cannot carry: ask for it with V2, as a binary tensor.",
                code="output_not_json",
            )
    if request.columnar:
        document = {"outputs": _columns(specs, arrays)}
    else:
        document = {"predictions": _rows(request, specs, arrays)}
    if request.labels:
        document["labels"] = {
            spec.name: label_texts(request.labels[spec.name], array)
            for spec, array in zip(specs, arrays, strict=True)
            if spec.name in request.labels
        }
    try:
        return orjson.dumps(document, None, orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        raise Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json") from None


def _columns(specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> Any:
    tensors = [_plain(array) for array in arrays]
    return tensors[0] if len(tensors) == 1 else dict(zip((spec.name for spec in specs), tensors, strict=True))


def _rows(request: InferRequest, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> Any:
    n_rows = next((array.shape[0] for array in request.inputs.values()), -1)
    for spec, array in zip(specs, arrays, strict=True):
        if array.ndim == 0 or array.shape[0] != n_rows:
            raise Unprocessable(
                f'Output {quoted(spec.name)} has no value for each row: send "inputs" in place of "instances".',
                code="output_not_rows",
            )
    if len(arrays) == 1:
        return _plain(arrays[0])
    names = [spec.name for spec in specs]
    columns = [_plain(array) for array in arrays]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(array: np.ndarray) -> Any:
    """Something that orjson writes as nested lists, or as a number where there are no dimensions."""
    if array.dtype.kind == "O":
        return array.tolist()
    # ONNX Runtime's 64-bit integers are C's `long long`, whose scalars orjson does not know; the view makes them int64.
    known = np.asarray(array, order="C").view(array.dtype.str)
    return known if known.ndim else known[()]
