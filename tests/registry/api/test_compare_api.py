from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from registry.models import ModelVersion
from registry.services.version_metrics import write_metrics
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def headers() -> dict[str, str]:
    model = factories.make_model("iris")
    for number in (1, 2):
        version = factories.make_version(model, float(number))
        ModelVersion.objects.filter(pk=version.pk).update(
            metrics={"auc": 0.5 + number, "n": 7}, tags={"os": "linux"}, size=100 * number, manifest={}
        )
        version.refresh_from_db()
        write_metrics(version)
    ModelVersion.objects.filter(number=2).update(lineage={"parent": 1, "run": {"id": "9f"}})
    _row, secret = factories.token_for(factories.make_user("vera", "viewer"), "read")
    return {"Authorization": f"Bearer {secret}"}


def asked(client: Client, headers: dict[str, str], query: str) -> Any:
    return client.get(f"/api/v1/models/iris/compare?{query}", headers=headers)


def test_compare__two_versions__side_by_side(client: Client, headers: dict[str, str]) -> None:
    body = asked(client, headers, "a=1&b=2").json()
    assert (body["model"], body["a"]["number"], body["b"]["number"]) == ("iris", 1, 2)
    assert body["signature"] == {"kind": "compatible", "changes": []}
    assert body["metrics"] == [
        {"name": "auc", "a": 1.5, "b": 2.5, "same": False},
        {"name": "n", "a": 7, "b": 7, "same": True},
    ]
    assert {"name": "size", "a": 100, "b": 200, "same": False} in body["artifact"]
    assert body["lineage"] == [
        {"name": "parent", "a": None, "b": 1, "same": False},
        {"name": "run.id", "a": None, "b": "9f", "same": False},
    ]


def test_compare__only_differences__leaves_out_the_rest(client: Client, headers: dict[str, str]) -> None:
    body = asked(client, headers, "a=1&b=2&only=differences").json()
    assert [line["name"] for line in body["metrics"]] == ["auc"]
    assert [line["name"] for line in body["artifact"]] == ["sha256", "size"]
    assert (body["tags"], body["facts"]) == ([], [])


def test_compare__with_a_version_that_was_rejected__has_no_signature(client: Client, headers: dict[str, str]) -> None:
    ModelVersion.objects.filter(number=2).update(signature=None, status="rejected")
    assert asked(client, headers, "a=1&b=2").json()["signature"] is None


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "invalid_version"),
        ("a=1", 400, "invalid_version"),
        ("a=1&b=x", 400, "invalid_version"),
        ("a=1&b=-1", 400, "invalid_version"),
        ("a=1&b=9", 404, "not_found"),
        ("a=1&b=0", 404, "not_found"),
        ("a=1&b=9999999999", 404, "not_found"),
        ("a=1&b=²", 400, "invalid_version"),
    ],
)
def test_compare__what_is_no_version__is_refused(
    client: Client, headers: dict[str, str], query: str, status: int, code: str
) -> None:
    answer = asked(client, headers, query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_models__search_by_terms__over_http(client: Client, headers: dict[str, str]) -> None:
    def names(search: str) -> list[str]:
        answer = client.get("/api/v1/models", {"search": search}, headers=headers)
        return [model["name"] for model in answer.json()["results"]]

    assert names("metric:auc>2") == ["iris"]
    assert names("metric:auc>3") == []
    assert names("tag:os=linux status:ready") == ["iris"]
    refused = client.get("/api/v1/models", {"search": "colour:red"}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_search")
