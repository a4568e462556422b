"""The OpenAPI document: made without a complaint, whole, and with every route of the API in it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.contracts.role_table import PUBLIC, TABLE

WORD = re.compile(r"<(?:\w+:)?(\w+)>")
UNDOCUMENTED = {"/api/schema", "/api/docs"}
# The MLflow protocol has its own documentation.
FOREIGN = ("/api/2.0/", "/api/3.0/")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def api_paths() -> dict[str, dict[str, str]]:
    wanted = {}
    for path, row in TABLE.items():
        url = "/" + WORD.sub(r"{\1}", path).strip("^").replace("/?$", "")
        if url.startswith(("/api/", "/v1/", "/v2")) and url not in UNDOCUMENTED and not url.startswith(FOREIGN):
            wanted[url] = row
    return wanted


def test_schema__command__valid_and_silent() -> None:
    GENERATOR_STATS.reset()
    out = io.StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    assert "openapi: 3." in out.getvalue()


def test_schema__paths_and_methods__equal_the_role_table(document: dict[str, Any]) -> None:
    validate_schema(document)
    seen = {
        path.rstrip("/"): {method.upper() for method in row if method != "parameters"}
        for path, row in document["paths"].items()
    }
    assert seen == {path: set(row) for path, row in api_paths().items()}


def test_schema__operation_ids__unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for row in document["paths"].values() for operation in row.values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in ids), ids


def test_schema__security__a_bearer_token_wherever_the_table_asks_for_one(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    bearer = {name for name, scheme in schemes.items() if scheme.get("scheme") == "bearer"}
    assert bearer
    for path, row in document["paths"].items():
        for method, operation in row.items():
            is_open = api_paths()[path.rstrip("/")][method.upper()] == PUBLIC
            named = {name for item in operation.get("security", []) for name in item}
            assert bool(named & bearer) is not is_open, (path, method, operation.get("security"))


def test_docs_page__no_outside_host(client: Client, db: None) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    outside = re.findall(r"""(?:src|href)=["'](https?:)?//""", page.content.decode())
    assert outside == []
