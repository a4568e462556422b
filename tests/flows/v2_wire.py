"""Bodies of V2 as tritonclient writes and reads them, without its connections: arrays in, arrays out."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from tritonclient import http as triton
from tritonclient.utils import np_to_triton_dtype

from tests.flows.portal import Answer

HEADER_LENGTH = "Inference-Header-Content-Length"


def request(inputs: dict[str, np.ndarray], outputs: Sequence[str], *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """Body and headers; the outputs are asked for in the same form."""
    tensors = [_tensor(name, array, binary) for name, array in inputs.items()]
    asked = [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    body, size = triton.InferenceServerClient.generate_request_body(tensors, outputs=asked)
    return bytes(body), {} if size is None else {HEADER_LENGTH: str(size)}


def _tensor(name: str, array: np.ndarray, binary: bool) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=binary)


def arrays(answer: Answer) -> list[np.ndarray]:
    """The outputs in the answer's order. Texts come as bytes from binary tensors, and as texts from JSON."""
    content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    size = answer.headers.get(HEADER_LENGTH)
    result = triton.InferResult.from_response_body(content, header_length=None if size is None else int(size))
    return [result.as_numpy(output["name"]) for output in result.get_response()["outputs"]]
