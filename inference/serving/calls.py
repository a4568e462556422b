"""One prediction on its way through: what was asked, which version answers it, and what came out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.conf import settings

from inference.monitoring.tally import Served
from inference.protocol import compression
from inference.protocol.preprocessing import Travels, travels_with
from inference.protocol.v2 import InferRequest
from inference.routing.snapshot import Route, VersionRef
from inference.runtime.surface import Session
from inference.scheduling.job import Timing
from inference.serving.codecs import JSON, Codec, Headers
from inference.serving.outputs import all_finite, promised
from registry.artifacts.signature import Signature, TensorSpec

# A smaller answer fits into one packet anyway.
COMPRESS_FROM_BYTES = 1024
# The first answer of an arm in this process is held against the signature, and then one of so many.
LOOK_EVERY = 16
# The ways in which the split itself decided.
SAMPLED = frozenset({"key", "random", "only"})
NO_HEADERS: Mapping[bytes, bytes] = {}


class Chosen:
    """Which version answers, and why: `pinned`, `rule`, `key`, `random`, or `only` where one arm has all.

    `is_evidence`: the answer counts for the rollout or experiment that runs. What a rule or the caller chose does not,
    as it is no sample of the traffic. `is_watched`: something is to be done after the answer (`aftermath.py`).

    Made once for all requests that go the same way (`chosen_for`).
    """

    __slots__ = (
        "headers",
        "is_evidence",
        "is_watched",
        "n_judged",
        "promised",
        "reason",
        "route",
        "served",
        "travels",
        "variant",
        "version",
    )

    def __init__(self, route: Route, variant: str, version: VersionRef, reason: str) -> None:
        self.route = route
        self.variant = variant
        self.version = version
        self.reason = reason
        self.is_evidence = route.is_counted and reason in SAMPLED
        self.is_watched = route.is_watched
        self.promised = promised(version.signature.outputs) if self.is_evidence else {}
        self.n_judged = 0
        self.travels = travels_with(version.signature, version.manifest) if version.manifest else None
        self.served = Served(route.endpoint_id, route.slug, version.id, version.number, variant)
        self.headers: Headers = [
            (b"x-model-version", b"%d" % version.number),
            (b"x-variant", variant.encode()),
            (b"x-split-epoch", b"%d" % route.epoch),
            (b"x-route-reason", reason.encode()),
        ]
        if route.revision:
            self.headers.append((b"x-split-revision", b"%d" % route.revision))


@lru_cache(4096)
def chosen_for(route: Route, variant: str, version: VersionRef, reason: str) -> Chosen:
    return Chosen(route, variant, version, reason)


@dataclass(slots=True)
class InferCall:
    """The URL's parts, what the headers say, and the body as it came.

    `version` is a number or an alias; `headers` are all that came, by reference, with names in lower case.
    `header_length` belongs to V2's binary tensors; `encoding` is the body's Content-Encoding and `accepts` the one
    chosen for the answer. `arrived` is in `time.monotonic()`.

    The rest is found out on the way: `chosen` as soon as the version is known, so that its failures count for it too;
    `stale_seconds` where the routing could not be asked for anew; `session` where it had to be loaded first. `unit` is
    the hash of the key that decided, None where none did; `field_key` is the key in the body, once `field_read`.
    """

    codec: Codec
    slug: str
    version: str | None
    body: bytes
    token: str | None
    headers: Mapping[bytes, bytes] = field(default_factory=lambda: NO_HEADERS)
    header_length: int | None = None
    encoding: str = ""
    accepts: str | None = None
    arrived: float = field(default_factory=time.monotonic)
    chosen: Chosen | None = None
    counted: bool = False
    stale_seconds: int | None = None
    session: Session | None = None
    unit: int | None = None
    field_key: str | None = None
    field_read: bool = False


def read(call: InferCall, signature: Signature, travels: Travels | None) -> InferRequest:
    """The body as a version with this signature and manifest takes it. Raises InvalidInput or Unprocessable."""
    body = compression.inflate(call.body, call.encoding, settings.PORTAL_MAX_BODY_BYTES) if call.encoding else call.body
    return call.codec.decode(body, call.header_length, signature, travels)


class Answered(NamedTuple):
    """`timing` is the model's part; the seconds beside it are what reading the body and making one took.

    `work` is only there where something is to be done after the answer.
    """

    body: bytes
    headers: Headers
    n_rows: int
    timing: Timing
    decode_seconds: float
    encode_seconds: float
    work: Prediction | None = None


class Prediction:
    """The work for one call, in steps that may run on different threads. See `inference/scheduling/job.py`.

    Of a watched route `finish` leaves the outputs in `arrays`, in the order of `request.outputs` or the signature's. If
    the answer is evidence it also says whether all numbers are finite (`is_finite`) and as the signature has them
    (`fits`).
    """

    __slots__ = (
        "arrays",
        "call",
        "chosen",
        "deadline",
        "decode_seconds",
        "digest",
        "fits",
        "is_finite",
        "n_rows",
        "request",
        "session",
    )
    arrays: Sequence[np.ndarray]
    fits: bool
    is_finite: bool

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
        request = read(call, self.chosen.version.signature, self.chosen.travels)
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
        specs = _specs(version.signature.outputs, request)
        body, headers = self.call.codec.encode(self.chosen.route.slug, version.number, request, specs, arrays)
        if self.chosen.is_watched:
            self.arrays = arrays
            if self.chosen.is_evidence:
                self._judge(specs, arrays, body, headers)
        if self.call.accepts and len(body) >= COMPRESS_FROM_BYTES:
            body = compression.deflate(body, self.call.accepts)
            headers = [*headers, (b"content-encoding", self.call.accepts.encode()), (b"vary", b"accept-encoding")]
        work = self if self.chosen.is_watched else None
        return Answered(body, headers, self.n_rows, timing, self.decode_seconds, time.perf_counter() - begin, work)

    def _judge(self, specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray], body: bytes, headers: Headers) -> None:
        """Done here and not after the answer, as this may be a thread."""
        # JSON has `null` for what is no number, and bytes are searched much faster than numbers.
        plain = headers is JSON and self.request is not None and not self.request.forms
        self.is_finite = (plain and b"null" not in body) or all_finite(arrays)
        chosen = self.chosen
        chosen.n_judged += 1
        # Looking at every array costs more than all the rest; a model that breaks its signature does it again.
        self.fits = chosen.n_judged % LOOK_EVERY != 1 or all(
            chosen.promised[spec.name].holds(array) for spec, array in zip(specs, arrays, strict=False)
        )


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
