"""`/api/v1/endpoints/{slug}/replays` over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inference.models import Endpoint, ReplayRun
from inference.replay.running import run_queued
from registry.models import User
from tests import factories
from tests.inference.replay.conftest import capture, replay, request_of

pytestmark = pytest.mark.django_db
URL = "/api/v1/endpoints/shop/replays"


def ask(user: User, method: str, path: str, data: Any = None, **facts: Any) -> Any:
    headers = {"Authorization": f"Bearer {factories.token_for(user, 'read', 'deploy', **facts)[1]}"}
    kind = (
        {}
        if data is None or any(hasattr(part, "read") for part in data.values())
        else {"content_type": "application/json"}
    )
    return getattr(Client(), method)(path, data, headers=headers, **kind)


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture
def endpoint() -> Endpoint:
    """Version 1 is live and answers x + 10, version 2 x + 20."""
    return factories.make_endpoint("shop")


@pytest.fixture
def alice(endpoint: Endpoint) -> User:
    return factories.make_user("alice", "operator")


def test_post__captured__202_and_the_result_at_its_address(endpoint: Endpoint, alice: User) -> None:
    capture(endpoint, request_of(1, 2, 3, 4))
    answer = ask(alice, "post", URL, {"candidate": 2, "n_wanted": 10, "tolerated": 0.5})
    assert answer.status_code == 202
    made = answer.json()
    assert answer["Location"] == f"/api/v1/replays/{made['id']}"
    wanted = {"state": "queued", "stable": 1, "candidate": 2, "n_wanted": 10, "tolerated": 0.5, "source": "captured"}
    assert {name: made[name] for name in wanted} == wanted
    run_queued(made["id"])
    found = ask(alice, "get", answer["Location"]).json()
    assert (found["state"], found["n_disagreed"], found["created_by"]) == ("failed", 1, "alice")
    (diff,) = found["diffs"]
    assert (diff["kind"], diff["max_abs"], json.loads(diff["inputs"])) == ("numeric", 10.0, request_of(1, 2, 3, 4))
    (row,) = ask(alice, "get", URL).json()["results"]
    assert (row["id"], row["sentence"]) == (made["id"], found["sentence"])


def test_post__file__202_with_its_name(endpoint: Endpoint, alice: User) -> None:
    file = SimpleUploadedFile("ask.jsonl", json.dumps(request_of(1, 2, 3, 4)).encode())
    answer = ask(alice, "post", URL, {"candidate": 2, "file": file})
    assert (answer.status_code, answer.json()["source"], answer.json()["file_name"]) == (202, "file", "ask.jsonl")
    run_queued(answer.json()["id"])
    assert ReplayRun.objects.get().n_requests == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_input")),
        ({"candidate": "two"}, (400, "invalid_input")),
        ({"candidate": 2**31}, (400, "invalid_input")),
        ({"candidate": 7}, (400, "unknown_version")),
        ({"candidate": 1}, (400, "same_version")),
        ({"candidate": 2, "n_wanted": 10_001}, (400, "invalid_input")),
        ({"candidate": 2, "tolerated": 1.5}, (400, "invalid_input")),
        ({"candidate": 2, "file": "text"}, (400, "invalid_input")),
    ],
)
def test_post__wrong_fields__clear_error_and_no_run(alice: User, body: dict, expected: tuple[int, str]) -> None:
    assert code_of(ask(alice, "post", URL, body)) == expected
    assert not ReplayRun.objects.exists()


def test_replays__no_right__refused(endpoint: Endpoint, alice: User) -> None:
    bob = factories.make_user("bob", "data_scientist")
    eve = factories.make_user("eve", "owner", factories.make_project("other"))
    run = replay(endpoint)
    assert code_of(ask(bob, "post", URL, {"candidate": 2})) == (403, "not_allowed")
    for user, facts in ((eve, {}), (alice, {"endpoints": ("more",)})):
        if facts:
            factories.make_endpoint("more")
        for method, path, data in (
            ("get", URL, None),
            ("post", URL, {"candidate": 2}),
            ("get", f"/api/v1/replays/{run.pk}", None),
        ):
            assert code_of(ask(user, method, path, data, **facts)) == (404, "not_found")
    assert code_of(ask(alice, "get", "/api/v1/replays/99999999999999999999")) == (404, "not_found")


def test_get__viewer__counts_but_not_what_callers_sent(endpoint: Endpoint) -> None:
    capture(endpoint, request_of(1, 2, 3, 4))
    run = replay(endpoint)
    found = ask(factories.make_user("bob", "viewer"), "get", f"/api/v1/replays/{run.pk}").json()
    (diff,) = found["diffs"]
    assert (diff["kind"], diff["inputs"], diff["stable_outputs"], diff["candidate_outputs"]) == (
        "numeric",
        None,
        None,
        None,
    )
