"""`/api/v1/models/{name}/golden` and the `force` of whatever moves traffic, over HTTP."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.test import Client

from inference.golden import services
from inference.golden.running import run_golden
from inference.models import Endpoint, GoldenRequest
from registry.models import AuditEvent, User, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/models/shop/golden"
INPUT = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
BODY = {"inputs": [INPUT]}
EXPECTED = [{"name": "y", "shape": [1, 4], "datatype": "FP32", "data": [11, 12, 13, 14]}]
GOOD = {"name": "ones", "request": BODY, "expected": EXPECTED}


@pytest.fixture
def endpoint() -> Endpoint:
    """Nothing is promoted. Version 1 answers x + 10, version 2 x + 20."""
    return factories.make_endpoint("shop", promoted=None)


@pytest.fixture
def dora(endpoint: Endpoint) -> User:
    return factories.make_user("dora", "data_scientist")


def ask(user: User, method: str, path: str, data: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {factories.token_for(user)[1]}"}
    return getattr(Client(), method)(path, data, headers=headers, content_type="application/json")


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_post__expected_written_down__201_and_listed(dora: User) -> None:
    made = ask(dora, "post", URL, {**GOOD, "request": {**BODY, "id": "7"}, "rtol": 0.5, "atol": 0})
    assert made.status_code == 201
    body = made.json()
    wanted = {"name": "ones", "request": BODY, "expected": EXPECTED, "rtol": 0.5, "atol": 0.0, "recorded_from": None}
    assert {key: body[key] for key in wanted} == wanted
    assert body["created_by"] == "dora"
    assert ask(dora, "get", URL).json()["results"] == [body]
    assert ask(dora, "get", f"{URL}/{body['id']}").json() == body
    event = AuditEvent.objects.get(action="golden.added")
    assert (event.actor_name, event.details) == ("dora", {"name": "ones", "recorded_from": None})
    assert (event.object_type, event.object_name) == ("RegisteredModel", "shop")


def test_post__record_from__keeps_what_the_version_answers(dora: User) -> None:
    made = ask(dora, "post", URL, {"name": "ones", "request": BODY, "record_from": 2}).json()
    assert made["recorded_from"] == 2
    assert made["expected"] == [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [21.0, 22.0, 23.0, 24.0]}]
    version = factories.version_of(Endpoint.objects.get(slug="shop"), 2)
    run = run_golden(version.pk, "asked")
    assert run is not None
    assert run.n_failed == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": " "}, (400, "invalid_input")),
        ({"name": "a\x00b"}, (400, "invalid_input")),
        ({"name": "x" * 101}, (400, "invalid_input")),
        ({"name": "a\u202eb"}, (400, "invalid_input")),
        ({"request": None}, (400, "invalid_input")),
        ({"request": []}, (400, "invalid_input")),
        ({"request": {"inputs": []}}, (400, "invalid_input")),
        ({"request": {"inputs": "\x00"}}, (400, "invalid_input")),
        ({"request": {"inputs": ["\x00"]}}, (400, "invalid_input")),
        ({"request": {"inputs": ["\ud800"]}}, (400, "invalid_json")),
        ({"request": {"inputs": ["x" * services.MOST_BYTES]}}, (413, "too_large")),
        ({"expected": None}, (400, "invalid_input")),
        ({"expected": [{"name": "y"}]}, (400, "invalid_expected")),
        ({"expected": [{**EXPECTED[0], "data": [1]}]}, (400, "invalid_expected")),
        ({"rtol": -1}, (400, "invalid_input")),
        ({"rtol": 1e300}, (400, "invalid_input")),
        ({"atol": "wide"}, (400, "invalid_input")),
        ({"record_from": 7}, (400, "unknown_version")),
        ({"record_from": 1, "request": {"inputs": [{**INPUT, "name": "z"}]}}, (400, "unknown_tensor")),
    ],
)
def test_post__bad_body__refused_and_nothing_kept(dora: User, change: dict[str, Any], expected: Any) -> None:
    assert code_of(ask(dora, "post", URL, {**GOOD, **change})) == expected
    assert not GoldenRequest.objects.exists()


def test_post__record_from_a_version_that_is_not_ready__409(dora: User, endpoint: Endpoint) -> None:
    factories.make_version(endpoint.model, status=VersionStatus.REJECTED, data=b"no model")
    body = {"name": "ones", "request": BODY, "record_from": 3}
    assert code_of(ask(dora, "post", URL, body)) == (409, "version_not_ready")


def test_post__name_taken_or_too_many__409(dora: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(dora, "post", URL, GOOD).status_code == 201
    assert code_of(ask(dora, "post", URL, GOOD)) == (409, "golden_name_taken")
    monkeypatch.setattr(services, "MOST_REQUESTS", 1)
    assert code_of(ask(dora, "post", URL, {**GOOD, "name": "two"})) == (409, "too_many_golden")


def test_delete__204_and_the_record_keeps_what_it_was(dora: User, endpoint: Endpoint) -> None:
    row = factories.make_golden(endpoint.model, name="ones")
    assert ask(dora, "delete", f"{URL}/{row.pk}").status_code == 204
    assert not GoldenRequest.objects.exists()
    assert AuditEvent.objects.get(action="golden.deleted").details["expected"] == row.expected
    assert ask(dora, "delete", f"{URL}/{row.pk}").status_code == 404
    assert ask(dora, "get", f"{URL}/{2**70}").status_code == 404


def test_golden_of_another_model__404(dora: User, endpoint: Endpoint) -> None:
    row = factories.make_golden(factories.make_model("other"))
    assert ask(dora, "get", f"{URL}/{row.pk}").status_code == 404
    assert ask(dora, "delete", f"{URL}/{row.pk}").status_code == 404


def test_viewer__may_see_and_not_change(endpoint: Endpoint) -> None:
    bob = factories.make_user("bob", "viewer")
    row = factories.make_golden(endpoint.model)
    assert ask(bob, "get", URL).status_code == 200
    assert ask(bob, "post", URL, GOOD).status_code == 403
    assert ask(bob, "delete", f"{URL}/{row.pk}").status_code == 403
    assert ask(bob, "post", "/api/v1/models/shop/versions/1/golden-runs").status_code == 403


def test_runs__newest_first_with_their_results(dora: User, endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model, name="ones")
    for _ in range(2):
        run_golden(factories.version_of(endpoint, 2).pk, "asked")
    rows = ask(dora, "get", "/api/v1/models/shop/versions/2/golden-runs").json()["results"]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert (rows[0]["version"], rows[0]["n_failed"], rows[0]["results"][0]["got"]) == (2, 1, 21.0)


@pytest.mark.parametrize("force", ["yes please", 2, [], math.pi])
def test_promote_and_split__force_that_is_no_boolean__400(endpoint: Endpoint, force: Any) -> None:
    alice = factories.make_user("alice", "operator")
    promoted = ask(alice, "post", "/api/v1/endpoints/shop/promote", {"version": 1, "reason": "x", "force": force})
    assert code_of(promoted) == (400, "invalid_input")
    shares = [{"variant": "stable", "version": 1, "weight_bp": 10_000}]
    body = {"shares": shares, "reason": "x", "force": force}
    assert code_of(ask(alice, "put", "/api/v1/endpoints/shop/split", body)) == (400, "invalid_input")
