"""Who gets in, and in which shape errors come out."""

from __future__ import annotations

import base64

import pytest
from django.test import Client

from registry.models import User
from tests import factories
from tests.registry.mlflow.conftest import Call, caller

SEARCH = "/api/2.0/mlflow/registered-models/search"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_basic__token_as_the_password__taken_whatever_the_user_name(client: Client, dora: User) -> None:
    _row, secret = factories.token_for(dora)
    assert client.get(SEARCH, headers=basic("anybody", secret)).status_code == 200
    assert client.get(SEARCH, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, basic("dora", "a-long-passw0rd"), {"Authorization": "Basic %%%"}, {"Authorization": "Bearer swy_no"},
     {"Authorization": "Digest x"}, {"Authorization": "Basic " + base64.b64encode(b"\xff").decode()}],
    ids=range(6),
)  # fmt: skip
def test_wrong_credentials__401_in_the_clients_shape(client: Client, dora: User, headers: dict[str, str]) -> None:
    dora.set_password("a-long-passw0rd")
    dora.save()
    answer = client.get(SEARCH, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert set(answer.json()) == {"error_code", "message"}


def test_session__signed_in_browser__gets_nothing_here(client: Client, dora: User) -> None:
    client.force_login(dora, "django.contrib.auth.backends.ModelBackend")
    assert client.get(SEARCH).status_code == 401
    assert client.post("/api/2.0/mlflow/registered-models/create", {"name": "x"}).status_code == 401


def test_basic__elsewhere_in_the_api__refused(client: Client, dora: User) -> None:
    _row, secret = factories.token_for(dora)
    assert client.get("/api/v1/models", headers=basic("dora", secret)).status_code == 401


def test_errors__of_every_kind__with_mlflows_word(call: Call, client: Client) -> None:
    factories.make_model("iris")
    viewer = caller(client, factories.make_user("bob", "viewer"))
    seen = [
        call("GET", "registered-models/get", name="no"),
        call("GET", "registered-models/get"),
        call("POST", "registered-models/create", name="iris"),
        call("POST", "registered-models/create", name="no/slash"),
        viewer("POST", "registered-models/create", name="x"),
        call("PUT", "registered-models/create", name="x"),
        call("GET", "registered-models/search", filter="name ~ 'x'"),
    ]
    assert [(answer.status_code, answer.json()["error_code"]) for answer in seen] == [
        (404, "RESOURCE_DOES_NOT_EXIST"),
        (400, "INVALID_PARAMETER_VALUE"),
        (400, "RESOURCE_ALREADY_EXISTS"),
        (400, "INVALID_PARAMETER_VALUE"),
        (403, "PERMISSION_DENIED"),
        (403, "PERMISSION_DENIED"),
        (400, "INVALID_PARAMETER_VALUE"),
    ]


def test_workspace__is_a_project(client: Client, dora: User) -> None:
    factories.make_user("eve", "data_scientist", factories.make_project("risk"))
    _row, secret = factories.token_for(dora)
    headers = {"Authorization": f"Bearer {secret}", "X-MLFLOW-WORKSPACE": "risk"}
    path = "/api/2.0/mlflow/registered-models/create"
    assert client.post(path, {"name": "x"}, "application/json", headers=headers).status_code == 404
    assert client.get("/api/3.0/mlflow/server-info").json()["workspaces_enabled"] is True
    own = {**headers, "X-MLFLOW-WORKSPACE": "default"}
    assert client.post(path, {"name": "x"}, "application/json", headers=own).status_code == 200


@pytest.mark.parametrize("body", [b"[]", b"{", b"1", b'{"name": ["x"]}', b'{"name": null}', b"[" * 100_000])
def test_bad_body__400(client: Client, dora: User, body: bytes) -> None:
    _row, secret = factories.token_for(dora)
    path = "/api/2.0/mlflow/registered-models/create"
    answer = client.generic("POST", path, body, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
