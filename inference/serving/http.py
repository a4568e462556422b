"""The V2 infer route as both doors speak it: headers and body in; status, headers and body out; errors mapped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import structlog

from inference.monitoring.prometheus import count_prediction
from inference.protocol import v2
from inference.serving.blocking import Waiting
from inference.serving.dataplane import InferCall, Predicted, infer
from inference.serving.follower import follower
from portal.lib.errors import PortalError, UnsupportedMedia

log = structlog.get_logger(__name__)
# The last is what curl and urllib say when they are told nothing: as good as no Content-Type at all.
JSON_TYPES = ("application/json", "application/octet-stream", "application/x-www-form-urlencoded")
MAX_ROUTING_KEY = 1024


Headers = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")


class Answer(NamedTuple):
    """`headers` as ASGI has them: bytes, names in lower case."""

    status: int
    headers: Headers
    body: bytes


def call_from(slug: str, version: str | None, headers: Mapping[str, str], body: bytes) -> InferCall:
    """`headers` has lower-case names. Raises UnsupportedMedia or InvalidInput."""
    encoding = headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia("Send the body without compression: Content-Encoding is not supported here.")
    kind, _semicolon, rest = headers.get("content-type", "application/json").partition(";")
    charset = rest.lower().rpartition("charset=")[2].strip(' "') if "charset=" in rest.lower() else "utf-8"
    if kind.strip().lower() not in JSON_TYPES or charset not in ("utf-8", "utf8"):
        raise UnsupportedMedia("Send the body as application/json in UTF-8.")
    if "inference-header-content-length" in headers:
        raise v2.binary_not_supported()
    return InferCall(slug, version, body, bearer_token(headers.get("authorization")), routing_key(headers))


def routing_key(headers: Mapping[str, str]) -> str | None:
    """Both doors hand header bytes on as Latin-1; the caller meant UTF-8, as in the documented formula."""
    value = headers.get("x-routing-key", "")[:MAX_ROUTING_KEY]
    return value.encode("latin-1", "replace").decode("utf-8", "replace") if value else None


def bearer_token(header: str | None) -> str | None:
    scheme, _space, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def answer_infer(call: InferCall, request_id: str, waiting: Waiting) -> Answer:
    """Never raises: what is wrong becomes an answer."""
    begin = time.perf_counter()
    try:
        predicted = await infer(call, waiting)
    except PortalError as error:
        known = call.slug if call.slug in follower().routes else ""
        count_prediction(known, "", "", error.status, time.perf_counter() - begin)
        return error_answer(error, request_id)
    except Exception:
        log.exception("prediction_failed", request_id=request_id)
        return error_answer(PortalError("Something went wrong on our side."), request_id)
    chosen = predicted.chosen
    count_prediction(chosen.route.slug, str(chosen.version.number), chosen.variant, 200, time.perf_counter() - begin)
    return Answer(200, _headers(predicted, request_id), predicted.body)


def _headers(predicted: Predicted, request_id: str) -> Headers:
    chosen = predicted.chosen
    routed = _routed_headers(chosen.version.number, chosen.variant, chosen.route.epoch, chosen.reason)
    headers = [*routed, (b"x-request-id", request_id.encode())]
    if predicted.stale_seconds:
        headers.append((b"x-split-age", str(predicted.stale_seconds).encode()))
    return headers


@lru_cache(4096)
def _routed_headers(version: int, variant: str, epoch: int, reason: str) -> tuple[tuple[bytes, bytes], ...]:
    """The same for all requests that go the same way, so they are written once."""
    return (
        JSON,
        (b"x-model-version", str(version).encode()),
        (b"x-variant", variant.encode()),
        (b"x-split-epoch", str(epoch).encode()),
        (b"x-route-reason", reason.encode()),
    )


def error_answer(error: PortalError, request_id: str) -> Answer:
    headers = [JSON, (b"x-request-id", request_id.encode())]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="slipway"'))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return Answer(error.status, headers, v2.error_body(str(error), error.code, request_id))
