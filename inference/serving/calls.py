"""One prediction on its way through: what was asked, which version answers it, and what came out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.conf import settings

from inference.monitoring.tally import Served
from inference.protocol import compression
from inference.protocol.v2 import InferRequest
from inference.routing.snapshot import Route, VersionRef
from inference.runtime.surface import Session
from inference.scheduling.job import Timing
from inference.serving.codecs import Codec, Headers
from registry.artifacts.signature import TensorSpec

# A smaller answer fits into one packet anyway.
COMPRESS_FROM_BYTES = 1024


class Chosen:
    """Which version answers, and why: `pinned`, `key` (the caller's), `random`, or `only` where one arm has all.

    Made once for all requests that go the same way (`chosen_for`).
    """

    __slots__ = ("headers", "reason", "route", "served", "variant", "version")

    def __init__(self, route: Route, variant: str, version: VersionRef, reason: str) -> None:
        self.route = route
        self.variant = variant
        self.version = version
        self.reason = reason
        self.served = Served(route.endpoint_id, route.slug, version.id, version.number, variant)
        self.headers: Headers = [
            (b"x-model-version", b"%d" % version.number),
            (b"x-variant", variant.encode()),
            (b"x-split-epoch", b"%d" % route.epoch),
            (b"x-route-reason", reason.encode()),
        ]


@lru_cache(4096)
def chosen_for(route: Route, variant: str, version: VersionRef, reason: str) -> Chosen:
    return Chosen(route, variant, version, reason)


@dataclass(slots=True)
class InferCall:
    """The URL's parts, what the headers say, and the body as it came.

    `version` is a number or an alias; `header_length` belongs to V2's binary tensors; `encoding` is the body's
    Content-Encoding and `accepts` the one chosen for the answer. `arrived` is in `time.monotonic()`.

    The rest is found out on the way: `chosen` as soon as the version is known, so that its failures count for it too;
    `stale_seconds` where the routing could not be asked for anew; `session` where it had to be loaded first.
    """

    codec: Codec
    slug: str
    version: str | None
    body: bytes
    token: str | None
    routing_key: str | None = None
    header_length: int | None = None
    encoding: str = ""
    accepts: str | None = None
    arrived: float = field(default_factory=time.monotonic)
    chosen: Chosen | None = None
    counted: bool = False
    stale_seconds: int | None = None
    session: Session | None = None


class Answered(NamedTuple):
    """`timing` is the model's part; the seconds beside it are what reading the body and making one took."""

    body: bytes
    headers: Headers
    n_rows: int
    timing: Timing
    decode_seconds: float
    encode_seconds: float


class Prediction:
    """The work for one call, in steps that may run on different threads. See `inference/scheduling/job.py`."""

    __slots__ = ("call", "chosen", "deadline", "decode_seconds", "digest", "n_rows", "request", "session")

    def __init__(self, call: InferCall, chosen: Chosen, session: Session) -> None:
        self.call = call
        self.chosen = chosen
        self.session = session
        self.digest = chosen.version.sha256
        self.deadline = call.arrived + chosen.route.deadline
        self.request: InferRequest | None = None
        self.n_rows = 1
        self.decode_seconds = 0.0

    @property
    def name(self) -> tuple[str, int]:
        return self.chosen.route.slug, self.chosen.version.number

    def feed(self) -> tuple[dict[str, np.ndarray], Sequence[str] | None]:
        request = self.request or self.decode()
        return request.inputs, request.outputs

    def decode(self) -> InferRequest:
        begin, call = time.perf_counter(), self.call
        body = (
            compression.inflate(call.body, call.encoding, settings.PORTAL_MAX_BODY_BYTES)
            if call.encoding
            else call.body
        )
        request = call.codec.decode(body, call.header_length, self.chosen.version.signature)
        if request.timeout_seconds is not None:
            self.deadline = min(self.deadline, call.arrived + request.timeout_seconds)
        self.request = request
        self.n_rows = n_rows(request.inputs)
        self.decode_seconds = time.perf_counter() - begin
        return request

    def finish(self, arrays: Sequence[np.ndarray], timing: Timing) -> Answered:
        begin = time.perf_counter()
        request, version = self.request, self.chosen.version
        assert request is not None
        body, headers = self.call.codec.encode(
            self.chosen.route.slug, version.number, request, _specs(version.signature.outputs, request), arrays
        )
        if self.call.accepts and len(body) >= COMPRESS_FROM_BYTES:
            body = compression.deflate(body, self.call.accepts)
            headers = [*headers, (b"content-encoding", self.call.accepts.encode()), (b"vary", b"accept-encoding")]
        return Answered(body, headers, self.n_rows, timing, self.decode_seconds, time.perf_counter() - begin)


def n_rows(inputs: dict[str, np.ndarray]) -> int:
    """The leading dimension of the first input, which is the batch where there is one."""
    for array in inputs.values():
        return array.shape[0] if array.ndim else 1
    return 1


def _specs(outputs: tuple[TensorSpec, ...], request: InferRequest) -> tuple[TensorSpec, ...]:
    if request.outputs is None:
        return outputs
    by_name = {spec.name: spec for spec in outputs}
    return tuple(by_name[name] for name in request.outputs)
