"""A V2 request that is nothing but the bytes of one tensor: Inference-Header-Content-Length is 0.

The model must take one input, and the number of bytes must tell its shape: of numbers, at most one dimension may be
free. Of BYTES, the whole body is the only element, without a length before it. The answer is binary too.
"""

from __future__ import annotations

from math import prod

import numpy as np

from inference.protocol.binary import read_tensor, read_text
from inference.protocol.request import InferRequest
from inference.runtime.tensors import DTYPES, filled, quoted, shown_shape
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import Signature, TensorSpec


def decode_raw_body(body: bytes, signature: Signature) -> InferRequest:
    if len(signature.inputs) != 1:
        raise _not_raw(f"The model takes {len(signature.inputs)} inputs, so it needs a JSON header before the tensors.")
    (spec,) = signature.inputs
    array = _text(spec, body) if spec.datatype == "BYTES" else _numbers(spec, body)
    return InferRequest(None, {spec.name: array}, None, {}, binary=True)


def _text(spec: TensorSpec, body: bytes) -> np.ndarray:
    if any(size not in (-1, 1) for size in spec.shape):
        raise _not_raw(
            f"Input {quoted(spec.name)} takes texts of shape {shown_shape(spec.shape)}, so it needs a JSON header."
        )
    return filled("BYTES", [1] * len(spec.shape), [read_text(spec, body)])


def _numbers(spec: TensorSpec, body: bytes) -> np.ndarray:
    if spec.shape.count(-1) > 1:
        raise _not_raw(
            f"Input {quoted(spec.name)} has several free dimensions, {shown_shape(spec.shape)}, "
            "so it needs a JSON header."
        )
    size_of_one = DTYPES[spec.datatype].itemsize * prod(size for size in spec.shape if size != -1)
    free, rest = divmod(len(body), size_of_one) if size_of_one else (0, len(body))
    if rest:
        raise InvalidInput(
            f"Input {quoted(spec.name)}: {len(body)} bytes do not fill the shape {shown_shape(spec.shape)} "
            f"of {spec.datatype}.",
            code="wrong_size",
        )
    return read_tensor(spec, [free if size == -1 else size for size in spec.shape], body, 0, len(body))


def _not_raw(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="raw_not_possible")
