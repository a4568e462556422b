"""Predictions as both doors speak them: headers and body in; status, headers and body out; errors mapped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import structlog

from inference.protocol import compression, v2
from inference.serving.aftermath import after
from inference.serving.blocking import CallerGone, Waiting
from inference.serving.calls import Chosen, InferCall
from inference.serving.codecs import JSON, V2, Headers
from inference.serving.counting import count_answered, count_failed
from inference.serving.dataplane import infer
from inference.serving.paths import PredictionPath
from portal.lib.errors import PortalError, UnsupportedMedia

log = structlog.get_logger(__name__)
# The last is what curl and urllib say when they are told nothing: as good as no Content-Type at all.
JSON_TYPES = (b"application/json", b"application/octet-stream", b"application/x-www-form-urlencoded")


class Answer(NamedTuple):
    """`headers` as ASGI has them: bytes, names in lower case."""

    status: int
    headers: Headers
    body: bytes


def call_from(path: PredictionPath, headers: Mapping[bytes, bytes], body: bytes) -> InferCall:
    """`headers` has lower-case names. Raises UnsupportedMedia or InvalidInput."""
    kind = headers.get(b"content-type")
    if kind and kind != b"application/json":
        _check_type(kind)
    call = InferCall(
        path.codec,
        path.slug,
        path.version,
        body,
        bearer_token(headers.get(b"authorization", b"")),
        headers,
    )
    length = headers.get(b"inference-header-content-length")
    if length is not None and path.codec is V2:
        call.header_length = v2.header_length(length.decode("latin-1"))
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        call.encoding = encoding.decode("latin-1").lower().strip()
        compression.check_encoding(call.encoding)
    accepts = headers.get(b"accept-encoding")
    if accepts is not None:
        call.accepts = compression.choose(accepts.decode("latin-1"))
    return call


def _check_type(value: bytes) -> None:
    kind, _semicolon, rest = value.lower().partition(b";")
    charset = rest.rpartition(b"charset=")[2].strip(b' "') if b"charset=" in rest else b"utf-8"
    if kind.strip() not in JSON_TYPES or charset not in (b"utf-8", b"utf8"):
        raise UnsupportedMedia("Send the body as application/json in UTF-8.")


def bearer_token(header: bytes) -> str | None:
    scheme, _space, token = header.partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None


async def answer_infer(call: InferCall, request_id: str, waiting: Waiting) -> Answer:
    """What is wrong becomes an answer. Raises CallerGone only."""
    begin = time.perf_counter()
    try:
        answered = await infer(call, waiting)
    except CallerGone:
        raise
    except PortalError as error:
        failure = error
    except Exception:
        log.exception("prediction_failed", request_id=request_id)
        failure = PortalError("Something went wrong on our side.")
    else:
        chosen = call.chosen
        assert chosen is not None
        seconds = time.perf_counter() - begin
        count_answered(chosen, answered, seconds)
        if chosen.is_watched:
            after(call, answered.work, 200, "", seconds, request_id)
        headers = [*answered.headers, *chosen.headers, (b"x-request-id", request_id.encode())]
        if call.stale_seconds:
            headers.append((b"x-split-age", b"%d" % call.stale_seconds))
        return Answer(200, headers, answered.body)
    seconds = time.perf_counter() - begin
    count_failed(call, failure, seconds)
    if call.chosen is not None and call.chosen.is_watched:
        after(call, None, failure.status, failure.code, seconds, request_id)
    return error_answer(failure, request_id, call.chosen)


def error_answer(error: PortalError, request_id: str, chosen: Chosen | None = None) -> Answer:
    """What a version answered wrongly is as much its answer as what it got right: it carries the same headers."""
    headers = [*JSON, (b"x-request-id", request_id.encode()), *(chosen.headers if chosen else ())]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="slipway"'))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return Answer(error.status, headers, v2.error_body(str(error), error.code, request_id))
