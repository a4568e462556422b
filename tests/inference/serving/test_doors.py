"""Both doors to the prediction path, the ASGI lane and the DRF view, give the same answer to the same request."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import Endpoint, Quarantine
from inference.serving import follower as following
from inference.serving.follower import Follower
from inference.serving.lane import PredictionLane
from inference.serving.schedule import rate_limits
from registry.access.tokens import digest_of
from registry.models import ApiToken, VersionStatus
from tests import factories

REQUEST_ID = "the-same-for-both"
DIFFERS = {"content-length"}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


@pytest.fixture
def people(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Tokens by name, with a running follower, an endpoint `split` (1: half, 2: half), `live` (1) and `idle`."""
    made = Follower()
    monkeypatch.setattr(following, "_follower", made)
    alice, charlie = factories.make_user("alice", "operator"), factories.make_user("charlie")
    factories.split(factories.make_endpoint("split", promoted=1), 5000)
    live = factories.make_endpoint("live", promoted=1)
    factories.make_version(live.model, 5.0, VersionStatus.REJECTED)
    factories.make_endpoint("idle", promoted=None)
    tokens = {
        "alice": factories.token_for(alice)[1],
        "reader": factories.token_for(alice, "read")[1],
        "elsewhere": factories.token_for(alice, "predict", endpoints=("split",))[1],
        "charlie": factories.token_for(charlie)[1],
        "slow": factories.token_for(alice)[1],
    }
    ApiToken.objects.filter(digest=digest_of(tokens["slow"])).update(requests_per_second=1)
    monkeypatch.setattr(rate_limits, "_buckets", {digest_of(tokens["slow"]): (-1e9, time.monotonic())})
    live.model.aliases.create(name="champion", version=factories.version_of(live, 2))
    away = factories.make_endpoint("away", promoted=1)
    Endpoint.objects.filter(pk=away.pk).update(unloaded_at=timezone.now())
    locked = factories.make_endpoint("locked", promoted=1)
    Quarantine.objects.create(version=factories.version_of(locked, 1), reason="x", created_at=timezone.now())
    made.start()
    made.wait_fresh(20)
    yield tokens
    made.stop()


def lane(path: str, headers: dict[str, str], body: bytes) -> Reply:
    """One request through the ASGI application; the body comes in two pieces."""
    sent: list[dict[str, Any]] = []
    pieces = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0) if pieces else await asyncio.Event().wait()  # the caller stays

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def run() -> None:
        application = PredictionLane()
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
        match = application.takes(scope)
        assert match is not None, path
        await application(match, scope, receive, send)

    asyncio.run(run())
    start, end = sent
    found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Reply(start["status"], found, read(end["body"], found))


def django_view(path: str, headers: dict[str, str], body: bytes) -> Reply:
    kind = headers.get("Content-Type", "")
    rest = {name: value for name, value in headers.items() if name != "Content-Type"}
    answer = Client().generic("POST", path, body, content_type=kind, headers=rest)
    found = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status_code, found, read(answer.content, found))


def read(body: bytes, headers: dict[str, str]) -> Any:
    """Binary tensors stay bytes; compression is undone."""
    if "content-encoding" in headers:
        body = zlib.decompress(body, {"gzip": 31, "deflate": 15}[headers["content-encoding"]])
    return json.loads(body) if headers["content-type"] == "application/json" else body


VALUES = struct.pack("<4f", 1, 2, 3, 4)
OUT = {"parameters": {"binary_data_output": True}}


def binary_body(**more: Any) -> bytes:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    return json.dumps({"inputs": [tensor], **more}).encode() + VALUES


BINARY = {"Inference-Header-Content-Length": str(len(binary_body()) - 16)}
BINARY_OUT = {"Inference-Header-Content-Length": str(len(binary_body(**OUT)) - 16)}
TOP_TWO = {"name": "y", "parameters": {"classification": 2}}
RIGHT = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
LIVE, SPLIT, IDLE = ("/v2/models/%s/infer" % slug for slug in ("live", "split", "idle"))  # noqa: UP031
JSON = {"Content-Type": "application/json"}
V1 = "/v1/models/live:predict"


MANY_ROWS = {"inputs": [{"name": "x", "shape": [99, 4], "datatype": "FP32", "data": [1, 2, 3, 4] * 99}]}


def wrong(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**RIGHT["inputs"][0], **changes}]}


# name: (path, who, headers, body, status)
CASES: dict[str, tuple[str, str | None, dict[str, str], Any, int]] = {
    "right": (LIVE, "alice", JSON, RIGHT, 200),
    "with an id": (LIVE, "alice", JSON, {**RIGHT, "id": "my-1"}, 200),
    "one output asked for": (LIVE, "alice", JSON, {**RIGHT, "outputs": [{"name": "y"}]}, 200),
    "keyed": (SPLIT, "alice", {**JSON, "X-Routing-Key": "user-1"}, RIGHT, 200),
    "keyed otherwise": (SPLIT, "alice", {**JSON, "X-Routing-Key": "ünï"}, RIGHT, 200),
    "a very long key": (SPLIT, "alice", {**JSON, "X-Routing-Key": "k" * 5000}, RIGHT, 200),
    "pinned": ("/v2/models/live/versions/2/infer", "alice", JSON, RIGHT, 200),
    "pinned to a rejected version": ("/v2/models/live/versions/3/infer", "alice", JSON, RIGHT, 404),
    "pinned to none": ("/v2/models/live/versions/99/infer", "alice", JSON, RIGHT, 404),
    "pinned to a word": ("/v2/models/live/versions/latest/infer", "alice", JSON, RIGHT, 404),
    "content type of triton": (LIVE, "alice", {"Content-Type": "application/octet-stream"}, RIGHT, 200),
    "no token": (LIVE, None, JSON, RIGHT, 401),
    "unknown token": (LIVE, "nobody", JSON, RIGHT, 401),
    "no member": (LIVE, "charlie", JSON, RIGHT, 404),
    "no such endpoint": ("/v2/models/nope/infer", "alice", JSON, RIGHT, 404),
    "token without the scope": (LIVE, "reader", JSON, RIGHT, 403),
    "token for another endpoint": (LIVE, "elsewhere", JSON, RIGHT, 404),
    "nothing promoted": (IDLE, "alice", JSON, RIGHT, 503),
    "no JSON": (LIVE, "alice", JSON, b"{", 400),
    "no body": (LIVE, "alice", JSON, b"", 400),
    "NaN": (LIVE, "alice", JSON, b'{"inputs": [NaN]}', 400),
    "duplicate key": (LIVE, "alice", JSON, b'{"inputs": [], "inputs": []}', 400),
    "wrong shape": (LIVE, "alice", JSON, wrong(shape=[1, 3], data=[1, 2, 3]), 400),
    "wrong datatype": (LIVE, "alice", JSON, wrong(datatype="INT64"), 400),
    "unknown tensor": (LIVE, "alice", JSON, wrong(name="z"), 400),
    "text for a number": (LIVE, "alice", JSON, wrong(data=[1, 2, 3, "4"]), 400),
    "unknown output": (LIVE, "alice", JSON, {**RIGHT, "outputs": [{"name": "z"}]}, 400),
    "compressed, says the header only": (LIVE, "alice", {**JSON, "Content-Encoding": "gzip"}, RIGHT, 400),
    "compressed otherwise": (LIVE, "alice", {**JSON, "Content-Encoding": "br"}, RIGHT, 415),
    "gzip": (LIVE, "alice", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(json.dumps(RIGHT).encode()), 200),
    "deflate": (LIVE, "alice", {**JSON, "Content-Encoding": "deflate"}, zlib.compress(json.dumps(RIGHT).encode()), 200),
    "gzip asked for": (LIVE, "alice", {**JSON, "Accept-Encoding": "gzip"}, MANY_ROWS, 200),
    "deflate asked for": (LIVE, "alice", {**JSON, "Accept-Encoding": "deflate, gzip;q=0.5"}, MANY_ROWS, 200),
    "timeout": (LIVE, "alice", JSON, {**RIGHT, "parameters": {"timeout": 30_000_000}}, 200),
    "timeout of no time": (LIVE, "alice", JSON, {**RIGHT, "parameters": {"timeout": 1}}, 504),
    "timeout of nonsense": (LIVE, "alice", JSON, {**RIGHT, "parameters": {"timeout": "soon"}}, 400),
    "priority": (LIVE, "alice", JSON, {**RIGHT, "parameters": {"priority": 1}}, 200),
    "classification": (LIVE, "alice", JSON, {**RIGHT, "outputs": [TOP_TWO]}, 200),
    "binary in": (LIVE, "alice", BINARY, binary_body(), 200),
    "binary in and out": (LIVE, "alice", BINARY_OUT, binary_body(**OUT), 200),
    "binary cut short": (LIVE, "alice", BINARY, binary_body()[:-1], 400),
    "binary header beyond the body": (LIVE, "alice", {"Inference-Header-Content-Length": "9999"}, binary_body(), 400),
    "raw": (LIVE, "alice", {"Inference-Header-Content-Length": "0"}, VALUES, 200),
    "raw of half a row": (LIVE, "alice", {"Inference-Header-Content-Length": "0"}, VALUES[:6], 400),
    "alias": ("/v2/models/live/versions/champion/infer", "alice", JSON, RIGHT, 200),
    "V1 rows": (V1, "alice", JSON, {"instances": [[1, 2, 3, 4], [5, 6, 7, 8]]}, 200),
    "V1 rows by name": (V1, "alice", JSON, {"instances": [{"x": [1, 2, 3, 4]}]}, 200),
    "V1 columns": (V1, "alice", JSON, {"inputs": {"x": [[1, 2, 3, 4]]}}, 200),
    "V1 without a Content-Type": (V1, "alice", {}, {"instances": [[1, 2, 3, 4]]}, 200),
    "V1 wrong": (V1, "alice", JSON, {"instances": [[1, 2, 3]]}, 400),
    "V1 of V2": (V1, "alice", JSON, [], 400),
    "V1 pinned": ("/v1/models/live/versions/2:predict", "alice", JSON, {"instances": [[1, 2, 3, 4]]}, 200),
    "V1 label": ("/v1/models/live/labels/champion:predict", "alice", JSON, {"instances": [[1, 2, 3, 4]]}, 200),
    "V1 unknown label": ("/v1/models/live/labels/nobody:predict", "alice", JSON, {"instances": [[1, 2, 3, 4]]}, 404),
    "V1 no member": (V1, "charlie", JSON, {"instances": [[1, 2, 3, 4]]}, 404),
    "out of service": ("/v2/models/away/infer", "alice", JSON, RIGHT, 503),
    "quarantined": ("/v2/models/locked/infer", "alice", JSON, RIGHT, 503),
    "quarantined but pinned to another": ("/v2/models/locked/versions/2/infer", "alice", JSON, RIGHT, 200),
    "over the rate": (LIVE, "slow", JSON, RIGHT, 429),
    "another charset": (LIVE, "alice", {"Content-Type": "application/json; charset=utf-16"}, RIGHT, 415),
    "another type": (LIVE, "alice", {"Content-Type": "text/csv"}, RIGHT, 415),
    "binary tensors": (LIVE, "alice", {**JSON, "Inference-Header-Content-Length": "10"}, RIGHT, 400),
}


def prepared(tokens: dict[str, str], case: str) -> tuple[str, dict[str, str], bytes, int]:
    path, who, headers, body, status = CASES[case]
    sent = {**headers, "X-Request-Id": REQUEST_ID}
    if who:
        sent["Authorization"] = f"Bearer {tokens.get(who, 'swy_unknown')}"
    return path, sent, body if isinstance(body, bytes) else json.dumps(body).encode(), status


def compared(reply: Reply) -> tuple[int, dict[str, str], Any]:
    ours = (
        "content-type",
        "content-encoding",
        "inference-header-content-length",
        "retry-after",
        "www-authenticate",
        "x-",
    )
    others = ("x-frame-options", "x-content-type-options", "content-length", "content-security-policy")
    headers = {name: value for name, value in reply.headers.items() if name.startswith(ours) and name not in others}
    return reply.status, headers, reply.body


def test_doors__same_request__same_answer(people: dict[str, str]) -> None:
    differ, statuses = {}, {}
    for case in CASES:
        path, headers, body, status = prepared(people, case)
        one, two = (compared(door(path, headers, body)) for door in (lane, django_view))
        if one != two:
            differ[case] = (one, two)
        if one[0] != status:
            statuses[case] = one
        assert one[1]["x-request-id"] == REQUEST_ID
        if status != 200:
            assert set(one[2]) == {"error", "code", "request_id"}
    assert differ == {}
    assert statuses == {}


def test_doors__body_over_the_limit__413_from_both(people: dict[str, str], settings: Any) -> None:
    settings.PORTAL_MAX_BODY_BYTES = 100
    path, headers, _body, _status = prepared(people, "right")
    body = json.dumps({**RIGHT, "id": "x" * 200}).encode()
    replies = [door(path, headers, body) for door in (lane, django_view)]
    assert [(reply.status, reply.body["code"]) for reply in replies] == [(413, "too_large")] * 2


@pytest.mark.parametrize("door", [lane, django_view])
def test_request_id__missing_or_garbled__a_fresh_one(people: dict[str, str], door: Callable[..., Reply]) -> None:
    path, headers, body, _status = prepared(people, "right")
    for sent in ("", "a b", "x" * 200):
        answer = door(path, {**headers, "X-Request-Id": sent}, body)
        assert len(answer.headers["x-request-id"]) == 32
