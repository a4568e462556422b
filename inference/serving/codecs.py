"""The wire formats as the prediction path uses them: bytes to a request, arrays to bytes and their headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from inference.protocol import v1, v2
from inference.protocol.preprocessing import Travels
from inference.protocol.v2 import InferRequest
from registry.artifacts.signature import Signature, TensorSpec

# As ASGI has them: bytes, names in lower case.
Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"content-type", b"application/json")]


class Codec(Protocol):
    def decode(
        self, body: bytes, header_length: int | None, signature: Signature, travels: Travels | None
    ) -> InferRequest: ...

    def encode(
        self, slug: str, version: int, request: InferRequest, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]
    ) -> tuple[bytes, Headers]: ...


class V2Codec:
    def decode(
        self, body: bytes, header_length: int | None, signature: Signature, travels: Travels | None
    ) -> InferRequest:
        request = v2.decode_infer(body, signature, header_length)
        # V2 carries tensors as they are; only its classification speaks of labels.
        return request._replace(labels=travels.labels) if travels and request.forms else request

    def encode(
        self, slug: str, version: int, request: InferRequest, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]
    ) -> tuple[bytes, Headers]:
        encoded = v2.encode_infer(slug, str(version), request, specs, arrays)
        if encoded.header_length is None:
            return encoded.body, JSON
        length = b"%d" % encoded.header_length
        return encoded.body, [
            (b"content-type", b"application/octet-stream"),
            (b"inference-header-content-length", length),
        ]


class V1Codec:
    def decode(
        self, body: bytes, header_length: int | None, signature: Signature, travels: Travels | None
    ) -> InferRequest:
        return v1.decode_predict(body, signature, travels)

    def encode(
        self, slug: str, version: int, request: InferRequest, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]
    ) -> tuple[bytes, Headers]:
        return v1.encode_predict(request, specs, arrays), JSON


V2 = V2Codec()
V1 = V1Codec()
