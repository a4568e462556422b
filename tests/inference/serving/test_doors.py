"""Both doors to the prediction path, the ASGI lane and the DRF view, give the same answer to the same request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client

from inference.serving import follower as following
from inference.serving.follower import Follower
from inference.serving.lane import PredictionLane
from registry.models import VersionStatus
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
    monkeypatch.setattr(following, "_pid", __import__("os").getpid())
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
    }
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
        return pieces.pop(0)

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
    return Reply(start["status"], found, json.loads(end["body"]))


def django_view(path: str, headers: dict[str, str], body: bytes) -> Reply:
    kind = headers.get("Content-Type", "")
    rest = {name: value for name, value in headers.items() if name != "Content-Type"}
    answer = Client().generic("POST", path, body, content_type=kind, headers=rest)
    return Reply(
        answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, json.loads(answer.content)
    )


RIGHT = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
LIVE, SPLIT, IDLE = ("/v2/models/%s/infer" % slug for slug in ("live", "split", "idle"))  # noqa: UP031
JSON = {"Content-Type": "application/json"}


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
    "compressed": (LIVE, "alice", {**JSON, "Content-Encoding": "gzip"}, RIGHT, 415),
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
    ours = ("content-type", "retry-after", "www-authenticate", "x-")
    others = ("x-frame-options", "x-content-type-options")
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
