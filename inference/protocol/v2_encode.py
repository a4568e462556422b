"""Arrays to the body of a V2 answer: JSON, or JSON with raw tensors behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from inference.protocol.binary import write_tensor
from inference.protocol.classification import classify
from inference.protocol.request import PLAIN, InferRequest, OutputForm
from inference.runtime.tensors import quoted
from portal.lib.errors import Unprocessable
from registry.artifacts.signature import TensorSpec


class Encoded(NamedTuple):
    """`header_length` is the number of bytes before the raw tensors, None where all is JSON."""

    body: bytes
    header_length: int | None


def encode_infer(
    model_name: str,
    model_version: str,
    request: InferRequest,
    specs: Sequence[TensorSpec],
    arrays: Sequence[np.ndarray],
) -> Encoded:
    """The answer in the forms that the request asks for.

    `specs` are the outputs' in the order of `arrays`. Raises Unprocessable if the form cannot hold an output.
    """
    if request.binary or request.forms:
        return _encode_forms(model_name, model_version, request, specs, arrays)
    return Encoded(encode_json(model_name, model_version, request.id, specs, arrays), None)


def encode_json(
    model_name: str,
    model_version: str,
    request_id: str | None,
    specs: Sequence[TensorSpec],
    arrays: Sequence[np.ndarray],
) -> bytes:
    """All outputs as JSON, data flat in row-major order."""
    assert len(specs) == len(arrays)
    document = _head(model_name, model_version, request_id)
    document["outputs"] = outputs = []
    for spec, array in zip(specs, arrays):  # noqa: B905 (this is the hot path, and the lengths are the same)
        datatype = spec.datatype
        flat = array.ravel().tolist() if datatype == "BYTES" else array.ravel()
        outputs.append({"name": spec.name, "datatype": datatype, "shape": array.shape, "data": flat})
    return _dump(document, specs)


def _encode_forms(
    model_name: str,
    model_version: str,
    request: InferRequest,
    specs: Sequence[TensorSpec],
    arrays: Sequence[np.ndarray],
) -> Encoded:
    forms = request.forms or (OutputForm(binary=request.binary),) * len(arrays)
    outputs: list[dict[str, Any]] = []
    raws: list[Any] = []
    for spec, array, form in zip(specs, arrays, forms, strict=True):
        datatype = "BYTES" if form.n_classes else spec.datatype
        labels = request.labels.get(spec.name) if request.labels else None
        values = classify(spec, array, form.n_classes, labels) if form.n_classes else array
        outputs.append(_output(spec.name, datatype, values, form.binary, raws))
    json_specs = [spec for spec, form in zip(specs, forms, strict=True) if form == PLAIN]
    header = _dump({**_head(model_name, model_version, request.id), "outputs": outputs}, json_specs)
    return Encoded(b"".join((header, *raws)), len(header)) if raws else Encoded(header, None)


def _head(model_name: str, model_version: str, request_id: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {"model_name": model_name, "model_version": model_version}
    if request_id is not None:
        head["id"] = request_id
    return head


def _output(name: str, datatype: str, array: np.ndarray, binary: bool, raws: list[Any]) -> dict[str, Any]:
    """The output's JSON. A raw tensor is added to `raws`."""
    output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": array.shape}
    if binary:
        raws.append(write_tensor(name, datatype, array))
        output["parameters"] = {"binary_data_size": len(raws[-1])}
    else:
        output["data"] = array.ravel().tolist() if datatype == "BYTES" else array.ravel()
    return output


def _dump(document: dict[str, Any], specs: Sequence[TensorSpec]) -> bytes:
    """`specs` are those of the outputs whose values are in the document."""
    try:
        return orjson.dumps(document, None, orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        raise not_json(specs) from None


def not_json(specs: Sequence[TensorSpec]) -> Unprocessable:
    for spec in specs:
        if spec.datatype == "BF16":
            return Unprocessable(
                f"Output {quoted(spec.name)} is BF16, which JSON cannot carry: ask for it as a binary tensor.",
                code="output_not_json",
            )
    return Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json")
