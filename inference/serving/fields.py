"""The key of a request that stands in its body."""

from __future__ import annotations

from django.conf import settings

from inference.protocol import compression
from inference.protocol.strict_json import parse_object
from inference.routing.assignment import key_from_document
from inference.serving.calls import InferCall
from portal.lib.errors import PortalError

SMALL_BYTES = 16_384


def is_quick(call: InferCall) -> bool:
    """Whether reading it costs the event loop hardly anything."""
    return len(call.body) <= SMALL_BYTES and not call.encoding


def read_field(call: InferCall, name: str) -> None:
    """Sets `field_key`. A body that is no JSON has no key here; decoding it, which comes next, says what is wrong."""
    try:
        call.field_key = key_from_document(parse_object(_text(call)), name)
    except PortalError:
        call.field_key = None
    call.field_read = True


def _text(call: InferCall) -> bytes:
    body = call.body
    if call.encoding:
        body = compression.inflate(body, call.encoding, settings.PORTAL_MAX_BODY_BYTES)
    return body if call.header_length is None else body[: call.header_length]
