"""The registry over HTTP, as far as it is more than its services: lists, paging, filters, bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import AuditEvent, ModelVersion, RegisteredModel, User
from tests import factories, graphs

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def alice() -> User:
    return factories.make_user("alice", "owner")


@pytest.fixture
def call(client: Client, alice: User) -> Call:
    _row, secret = factories.token_for(alice)

    def ask(method: str, path: str, body: Any = None, **facts: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        if body is not None:
            facts = {"data": json.dumps(body), "content_type": "application/json", **facts}
        return getattr(client, method.lower())(path, headers=headers, **facts)

    return ask


def test_models__list__paged_filtered_ordered_and_own_projects_only(call: Call) -> None:
    for name in ("alpha", "beta", "gamma"):
        factories.make_model(name)
    factories.make_model("hidden", factories.make_project("elsewhere"))
    everything = call("GET", "/api/v1/models").json()
    assert [model["name"] for model in everything["results"]] == ["alpha", "beta", "gamma"]
    assert everything["count"] == 3
    paged = call("GET", "/api/v1/models?page_size=2&page=2").json()
    assert [model["name"] for model in paged["results"]] == ["gamma"]
    assert [model["name"] for model in call("GET", "/api/v1/models?search=ETA").json()["results"]] == ["beta"]
    assert call("GET", "/api/v1/models?order=-name").json()["results"][0]["name"] == "gamma"
    assert call("GET", "/api/v1/models?project=elsewhere").json()["results"] == []


@pytest.mark.parametrize("query", ["page=0", "page=99", "page=x", "page_size=-1"])
def test_models__odd_page__404_or_the_default(call: Call, query: str) -> None:
    factories.make_model("alpha")
    assert call("GET", f"/api/v1/models?{query}").status_code in (200, 404)


@pytest.mark.parametrize(
    "query", ["project__slug=x", "created_by__password__startswith=p", "order=created_by__password", "x" * 3000]
)
def test_models__unknown_filter__never_reaches_the_orm(call: Call, query: str) -> None:
    factories.make_model("alpha")
    answer = call("GET", f"/api/v1/models?{query}")
    assert answer.status_code in (200, 400)


def test_models__list__as_many_queries_for_ten_as_for_one(call: Call, django_assert_max_num_queries: Any) -> None:
    for number in range(10):
        factories.make_version(factories.make_model(f"model-{number}"), number)
    with django_assert_max_num_queries(10):
        assert call("GET", "/api/v1/models").json()["count"] == 10


def test_model__made_changed_deleted__each_in_the_record(call: Call) -> None:
    factories.make_project()
    made = call("POST", "/api/v1/models", {"name": "iris", "tags": {"team": "risk"}})
    assert (made.status_code, made.json()["project"], made.json()["created_by"]) == (201, "default", "alice")
    changed = call("PATCH", "/api/v1/models/iris", {"description": "Flowers."})
    assert (changed.json()["description"], changed.json()["tags"]) == ("Flowers.", {"team": "risk"})
    assert call("DELETE", "/api/v1/models/iris").status_code == 204
    assert call("GET", "/api/v1/models/iris").status_code == 404
    actions = AuditEvent.objects.filter(object_name="iris").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["model.created", "model.edited", "model.deleted"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "tags": []},
        {"name": "x", "tags": {"a": {"b": 1}}},
        {"name": "x", "description": 5 * ["a"]},
        {"name": "x", "description": "a" * 20_001},
        {"name": "x", "tags": {"": "b"}},
        {"name": ["x"]},
        {},
        {"name": "x", "project": "no"},
    ],
    ids=range(8),
)
def test_model__bad_body__4xx_and_nothing_made(call: Call, body: Any) -> None:
    factories.make_project()
    assert call("POST", "/api/v1/models", body).status_code in (400, 404)
    assert not RegisteredModel.objects.exists()


def test_upload__multipart__202_validating_with_its_facts(call: Call) -> None:
    factories.make_model("iris")
    form = {
        "file": SimpleUploadedFile("m.onnx", graphs.add_constant(1.0)),
        "description": "first",
        "tags": '{"a": "b"}',
        "metrics": '{"accuracy": 0.97}',
    }
    answer = call("POST", "/api/v1/models/iris/versions", data=form)
    body = answer.json()
    assert answer.status_code == 202
    assert (body["model"], body["number"], body["status"], body["file_name"]) == ("iris", 1, "validating", "m.onnx")
    assert (body["description"], body["tags"], body["metrics"]) == ("first", {"a": "b"}, {"accuracy": 0.97})


@pytest.mark.parametrize(
    "field", [{"tags": "{"}, {"metrics": "[]"}, {"metrics": '{"a": "b"}'}, {"tags": '{"a": 1}'}], ids=str
)
def test_upload__bad_form_field__400_and_nothing_made(call: Call, field: dict[str, str]) -> None:
    factories.make_model("iris")
    form = {"file": SimpleUploadedFile("m.onnx", graphs.add_constant(1.0)), **field}
    assert call("POST", "/api/v1/models/iris/versions", data=form).status_code == 400
    assert not ModelVersion.objects.exists()


def test_upload__over_the_limit__413_and_nothing_left(call: Call, settings: Any) -> None:
    factories.make_model("iris")
    settings.PORTAL_MAX_UPLOAD_BYTES = 50
    incoming = settings.DATA_DIR / "artifacts" / "incoming"
    before = set(incoming.glob("*"))
    answer = call("POST", "/api/v1/models/iris/versions", data={"file": SimpleUploadedFile("m", b"x" * 200)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert not ModelVersion.objects.exists()
    assert set(incoming.glob("*")) == before


def test_versions__list__newest_first_and_by_status(call: Call) -> None:
    model = factories.make_model("iris")
    factories.make_version(model, 1.0)
    factories.make_version(model, 2.0, "rejected")
    listed = call("GET", "/api/v1/models/iris/versions").json()["results"]
    assert [(item["number"], item["status"]) for item in listed] == [(2, "rejected"), (1, "ready")]
    assert [item["number"] for item in call("GET", "/api/v1/models/iris/versions?status=ready").json()["results"]] == [
        1
    ]
    assert call("GET", "/api/v1/models/iris/versions?status=odd").status_code == 400


def test_version__huge_or_zero_number__404(call: Call) -> None:
    factories.make_version(factories.make_model("iris"))
    for number in (0, 2, 2**31, 10**30):
        assert call("GET", f"/api/v1/models/iris/versions/{number}").status_code == 404


def test_download__bytes_and_a_harmless_name(call: Call) -> None:
    factories.make_version(factories.make_model("iris"), 3.0)
    answer = call("GET", "/api/v1/models/iris/versions/1/download")
    assert b"".join(answer.streaming_content) == graphs.add_constant(3.0)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="iris-v1.onnx"'
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_alias__set_read_deleted(call: Call) -> None:
    model = factories.make_model("iris")
    factories.make_version(model)
    path = "/api/v1/models/iris/aliases/champion"
    assert call("GET", path).status_code == 404
    assert call("PUT", path, {"version": 1}).json()["version"] == 1
    assert call("GET", "/api/v1/models/iris").json()["aliases"] == {"champion": 1}
    assert call("PUT", path, {"version": 9}).status_code == 404
    assert call("DELETE", path).status_code == 204
    assert call("PUT", "/api/v1/models/iris/aliases/latest", {"version": 1}).status_code == 400


def test_audit__owner_sees_his_projects_and_auditor_all(call: Call, client: Client) -> None:
    factories.make_endpoint("here", project=factories.make_project())
    factories.make_endpoint("there", project=factories.make_project("elsewhere"))
    seen = {event["object_name"] for event in call("GET", "/api/v1/audit").json()["results"]}
    assert "here" in seen
    assert "there" not in seen
    _row, secret = factories.token_for(factories.make_auditor("arthur"), "admin")
    answer = client.get("/api/v1/audit?action=endpoint", headers={"Authorization": f"Bearer {secret}"})
    assert {event["object_name"] for event in answer.json()["results"]} == {"here", "there"}


def test_token__made_over_http__secret_once_then_never(call: Call) -> None:
    made = call("POST", "/api/v1/tokens", {"name": "ci", "scopes": ["read"], "days": 1})
    assert made.status_code == 201
    secret = made.json()["token"]
    listed = call("GET", "/api/v1/tokens")
    assert secret not in listed.content.decode()
    assert {"digest", "token"} & set(listed.json()["results"][0]) == set()
