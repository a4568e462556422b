"""Endpoints over HTTP, as far as they are more than their services: ETag and If-Match, history, V2's other routes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from inference.models import Endpoint
from inference.protocol.v2 import EXTENSIONS
from portal.lib.version import VERSION
from registry.models import VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def call(client: Client) -> Call:
    _row, secret = factories.token_for(factories.make_user("alice", "owner"))

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {
            "Authorization": f"Bearer {secret}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        facts = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return getattr(client, method.lower())(path, headers=sent, **facts)

    return ask


def test_endpoint__made_read_changed_deleted(call: Call) -> None:
    factories.make_version(factories.make_model("iris"))
    made = call("POST", "/api/v1/endpoints", {"slug": "flowers", "model": "iris"})
    assert (made.status_code, made.json()["epoch"], made.json()["live_split"]) == (201, 0, None)
    assert made.headers["ETag"] == '"0"'
    nothing_yet = call("GET", "/api/v1/endpoints/flowers/split")
    assert (nothing_yet.status_code, nothing_yet.json()["error"]["code"]) == (404, "nothing_promoted")
    assert call("PATCH", "/api/v1/endpoints/flowers", {"description": "x"}).json()["description"] == "x"
    assert call("DELETE", "/api/v1/endpoints/flowers", {"reason": "retired"}).status_code == 204
    assert call("GET", "/api/v1/endpoints/flowers").status_code == 404


def test_switches__etag_round_trip__if_match_decides(call: Call) -> None:
    factories.make_endpoint("flowers", promoted=1)
    seen = call("GET", "/api/v1/endpoints/flowers/split")
    assert seen.headers["ETag"] == '"1"'
    promoted = call(
        "POST", "/api/v1/endpoints/flowers/promote", {"version": 2, "reason": "x"}, If_Match=seen.headers["ETag"]
    )
    assert (promoted.status_code, promoted.headers["ETag"]) == (200, '"2"')
    assert promoted.json()["converged"] == {
        "processes": 0,
        "acknowledged": 0,
        "seconds": promoted.json()["converged"]["seconds"],
    }
    late = call("POST", "/api/v1/endpoints/flowers/rollback", {"reason": "x"}, If_Match=seen.headers["ETag"])
    assert (late.status_code, late.json()["error"]["details"]["epoch"]) == (409, 2)
    for tag in ('"2"', 'W/"2"', "*", ""):
        answer = call("POST", "/api/v1/endpoints/flowers/promote", {"version": 2, "reason": "x"}, If_Match=tag)
        assert (answer.status_code, answer.json()["changed"]) == (200, False)


@pytest.mark.parametrize("tag", ['"x"', '"1", "2"', "-1", '"' + "9" * 40 + '"', "١"])
def test_if_match__odd__400(call: Call, tag: str) -> None:
    factories.make_endpoint("flowers", promoted=1)
    answer = call("POST", "/api/v1/endpoints/flowers/promote", {"version": 2, "reason": "x"}, If_Match=tag)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_if_match")
    assert Endpoint.objects.get().epoch == 1


def test_splits__history__newest_first_with_activations_in_few_queries(
    call: Call, django_assert_max_num_queries: Any
) -> None:
    endpoint = factories.make_endpoint("flowers", promoted=1)
    for weight in range(1000, 8000, 1000):
        endpoint = factories.split(endpoint, weight)
    with django_assert_max_num_queries(16):
        history = call("GET", "/api/v1/endpoints/flowers/splits").json()["results"]
    assert [split["revision"] for split in history] == list(range(8, 0, -1))
    assert [split["parent"] for split in history] == [*range(7, 0, -1), None]
    assert [split["live"] for split in history] == [True] + [False] * 7
    assert [item["kind"] for item in history[-1]["activations"]] == ["promote"]


def test_v2__metadata_ready_and_server(call: Call, serving: Callable[[], Any], client: Client) -> None:
    factories.split(factories.make_endpoint("flowers", promoted=1), 3000)
    factories.make_endpoint("idle", promoted=None)
    serving()
    metadata = call("GET", "/v2/models/flowers").json()
    assert (metadata["name"], metadata["versions"]) == ("flowers", ["1", "2"])
    assert metadata["inputs"] == factories.SIGNATURE["inputs"]
    assert call("GET", "/v2/models/flowers/versions/2").json()["versions"] == ["2"]
    assert call("GET", "/v2/models/flowers/ready").json() == {"name": "flowers", "ready": True}
    assert call("GET", "/v2/models/idle/ready").status_code == 503
    assert call("GET", "/v2/models/nope").json()["code"] == "endpoint_not_found"
    assert (
        client.get("/v2").json()
        == client.get("/v2/").json()
        == {"name": "slipway", "version": VERSION, "extensions": list(EXTENSIONS)}
    )
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").status_code == 200


def test_v2__pinned__ready_versions_only(call: Call, serving: Callable[[], Any]) -> None:
    endpoint = factories.make_endpoint("flowers", promoted=1)
    factories.make_version(endpoint.model, 9.0, VersionStatus.REJECTED)
    serving()
    for number, status in (("2", 200), ("3", 404), ("4", 404), ("0", 404), ("x", 404), ("9" * 30, 404)):
        assert call("GET", f"/v2/models/flowers/versions/{number}").status_code == status
