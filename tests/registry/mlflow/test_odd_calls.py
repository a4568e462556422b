"""Nothing that a caller sends ends in a 5xx: every route, with bodies and fields of any shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from registry.mlflow.urls import urlpatterns
from tests import factories
from tests.registry.mlflow.conftest import FILES, Call, caller

ROUTES = sorted(
    (method, str(route.pattern))
    for route in urlpatterns
    for method in route.callback.cls.actions  # type: ignore[attr-defined]
    # The same views once more.
    if not str(route.pattern).startswith("ajax-api/")
)
NAMES = [" ".join(route) for route in ROUTES]
BODIES = ["[]", "1", '"x"', "null", "{", "[" * 50_000, '{"name": NaN}', "\xff", '{"a":1}{"b":2}', "x" * (10 << 20)]
ODD: list[Any] = [
    None, True, [], {}, [[]], [{}], [{"key": "a", "value": []}], [{"dataset": 1}], -1, -(2**70), 0.5, float("nan"),
    "", "a\x00b", "\ud800", "\u202e" * 300, "x" * 90_000, "9" * 5000, "NaN",
    [{"key": "\ud800", "value": "\ud800"}], [{"key": "a\x00", "value": 1, "timestamp": 2**64, "step": "\ud800"}],
    [{"model_id": "\ud800", "step": 2**80}], [{"field_name": "\ud800"}],
    [{"dataset": {"name": "\ud800", "digest": "\x00"}}],
]  # fmt: skip
# Whatever any route reads, so that the rest of a call is right where one field is not.
WHO = ("name", "version", "run_id", "experiment_id", "experiment_ids", "model_id")
REST = (
    "alias", "archive_existing_versions", "artifact_directory_path", "datasets", "description", "end_time",
    "experiment_name", "filter", "key", "max_results", "metric_key", "metrics", "model_json", "model_type", "models",
    "new_name", "order_by", "page_token", "params", "path", "run_link", "run_name", "run_view_type", "source",
    "source_run_id", "stage", "stages", "start_time", "status", "step", "tags", "timestamp", "value", "view_type",
)  # fmt: skip


@pytest.fixture
def ask(client: Client, db: None) -> Call:
    client.raise_request_exception = False
    return caller(client, factories.make_user("olga", "owner"))


@pytest.fixture
def right(ask: Call) -> dict[str, Any]:
    """What exists, by the fields that name it."""
    factories.make_version(factories.make_model("iris"))
    run = ask("POST", "runs/create", experiment_id="0").json()["run"]["info"]
    model = ask("POST", "logged-models", experiment_id="0", name="m", source_run_id=run["run_id"]).json()["model"]
    return {
        "name": "iris", "version": "1", "run_id": run["run_id"], "experiment_id": run["experiment_id"],
        "experiment_ids": [run["experiment_id"]], "model_id": model["info"]["model_id"],
    }  # fmt: skip


def check(answer: Any, what: object) -> None:
    assert answer.status_code < 500 or answer.status_code == 501, what
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error_code", "message"}, what
        assert answer.json()["message"], what


@pytest.mark.parametrize(("method", "pattern"), ROUTES, ids=NAMES)
def test_route__odd_bodies_and_fields__4xx_in_mlflows_shape(
    ask: Call, right: dict[str, Any], method: str, pattern: str
) -> None:
    url = f"/{pattern}".replace("<str:model_id>", right["model_id"]).replace("<str:key>", "a")
    url = url.replace("<path:path>", "a/b")
    for body in BODIES:
        check(ask(method, url, body.encode("latin-1")), body[:60])
    for odd in ODD:
        for said in (dict.fromkeys(REST, odd) | right, dict.fromkeys((*WHO, *REST), odd)):
            check(ask(method, url, json.dumps(said).encode()), repr(odd)[:60])


@pytest.mark.parametrize(("method", "pattern"), ROUTES, ids=NAMES)
def test_path_and_query__odd_text__4xx_in_mlflows_shape(
    ask: Call, right: dict[str, Any], method: str, pattern: str
) -> None:
    if "<" not in pattern and method != "GET":
        return
    for text in ("%00", "%ed%a0%80", "%ff", "%F0%9F%98%80", "-1", "1e9", "x" * 1500):
        url = f"/{pattern}".replace("<str:model_id>", text).replace("<str:key>", text).replace("<path:path>", text)
        rest = "&".join(f"{name}={text}" for name in REST)
        for who in ("&".join(f"{name}={right[name]}" for name in WHO[:4]), f"name={text}&version={text}&run_id={text}"):
            answer = ask(method, f"{url}?{who}&{rest}", b"")
            # An address that is none is answered before any view of ours.
            if answer.status_code != 404 or "error_code" in answer.json():
                check(answer, url[:100])


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", "9" * 30, "٣"])
def test_file__odd_length__400(client: Client, db: None, length: str) -> None:
    _row, secret = factories.token_for(factories.make_user("dora", "data_scientist"))
    facts = {"CONTENT_LENGTH": length, "HTTP_AUTHORIZATION": f"Bearer {secret}"}
    refused = client.generic("PUT", f"{FILES}/a", b"x", **facts)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
