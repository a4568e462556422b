"""One caller of the MLflow protocol, a data scientist of the project `default`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from registry.mlflow import registering
from registry.models import User
from tests import factories

Call = Callable[..., Any]
PREFIX = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def caller(client: Client, user: User) -> Call:
    """`call("POST", "runs/create", name=...)`; a path that begins with `/` is taken as it is."""
    _row, secret = factories.token_for(user)

    def ask(method: str, path: str, /, data: bytes | None = None, **said: Any) -> Any:
        url = path if path.startswith("/") else PREFIX + path
        facts: dict[str, Any] = {"headers": {"Authorization": f"Bearer {secret}"}}
        if method == "GET":
            url += f"?{urlencode(said, doseq=True)}"
        elif data is not None:
            facts |= {"data": data, "content_type": "application/octet-stream"}
        else:
            facts |= {"data": json.dumps(said), "content_type": "application/json"}
        return client.generic(method, url, **facts)

    return ask


@pytest.fixture(autouse=True)
def nobody_validates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a worker a copy would be waited for in vain."""
    monkeypatch.setattr(registering, "COPY_SECONDS", 0.0)


@pytest.fixture
def dora(db: None) -> User:
    return factories.make_user("dora", "data_scientist")


@pytest.fixture
def call(client: Client, dora: User) -> Call:
    return caller(client, dora)


@pytest.fixture
def run_id(call: Call) -> str:
    return str(call("POST", "runs/create", experiment_id="0", run_name="first").json()["run"]["info"]["run_id"])
