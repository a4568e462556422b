"""Texts that PostgreSQL or UTF-8 cannot hold, in each text of each body, of each address: refused, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from tests import factories, graphs
from tests.contracts import mlflow_table
from tests.contracts.role_bodies import BODIES, SHARES, TENSOR, TRIAL
from tests.contracts.role_table import TABLE
from tests.contracts.test_role_table import APIS, World, fill, query, world

__all__ = ["world"]

NUL, HALF = "\x00", "\ud800"
VERSION = "api/v1/models/<str:name>/versions/<int:number>"
SAID = {
    "description": "x",
    "tags": {"k": "v"},
    "metrics": {"m": 1.0},
    "manifest": {"labels": {"y": ["a", "b"]}, "inputs": {"x": {"features": ["a", "b"]}}},
    "lineage": {
        "run": {"id": "1", "name": "n", "url": "https://x.example", "experiment": "e"},
        "data": "d",
        "code": "c",
    },
    "signature": {"key": "k", "signature": "s"},
}
BYTES = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "BYTES", "data": ["a", "b", "c", "d"]}]}
# What may be said beside what the crawl of the role table says.
MORE: dict[str, list[Any]] = {
    "POST api/v1/models": [{"name": "fresh", "project": "default", "description": "x", "tags": {"k": "v"}}],
    "PATCH api/v1/models/<str:name>": [{"description": "x", "tags": {"k": "v"}}],
    f"PATCH {VERSION}": [{"description": "x", "tags": {"k": "v"}, "metrics": {"m": 1.0}}],
    "POST api/v1/models/<str:name>/versions": [
        {"upload": "0" * 32, "file_name": "f", **SAID},
        {"files": [{"name": "model.onnx", "upload": "0" * 32}], **SAID},
    ],
    "POST api/v1/uploads": [{"size": 2, "file_name": "f", "sha256": "0" * 64, "project": "default", "model": "e"}],
    "POST api/v1/uploads/<uuid:upload_id>/complete": [{"sha256": "0" * 64}],
    "PUT api/v1/projects/<str:project>": [{"signature_policy": "warn", "retention": {"keep_last": 1}}],
    "POST api/v1/tokens": [{"name": "x", "scopes": ["read"], "endpoints": ["e"]}],
    "POST api/v1/webhooks": [
        {"url": "https://hooks.example.org/x", "project": "default", "events": ["rollout.*"], "description": "x"}
    ],
    "POST api/v1/models/<str:name>/golden": [
        {
            "name": "x",
            "request": {**BYTES, "id": "1", "parameters": {"p": "q"}},
            "expected": {"outputs": [{"name": "y"}]},
        },
        {"name": "x", "request": {**TENSOR, "id": "1", "parameters": {"p": "q"}}, "record_from": 1},
    ],
    "POST api/v1/endpoints": [{"slug": "fresh", "model": "e", "description": "x"}],
    "PATCH api/v1/endpoints/<str:slug>": [{"description": "x", "fallback": "v"}],
    "PUT api/v1/endpoints/<str:slug>/split": [
        {
            "shares": SHARES,
            "reason": "x",
            "assignment": {"from": "header", "name": "X-User"},
            "rules": [{"variant": "stable", "header": "X-User", "equals": "anna"}],
        }
    ],
    "POST api/v1/endpoints/<str:slug>/rollouts": [
        {
            "candidate": 2,
            "reason": "x",
            "preset": "canary",
            "stages": [{"kind": "canary", "name": "x"}],
            "shadow": {"name": "x"},
            "holdback": {"name": "x"},
        }
    ],
    "POST api/v1/endpoints/<str:slug>/experiments": [
        {
            **TRIAL,
            "guardrails": [{"metric": "error", "name": "x"}],
            "assignment": {"from": "header", "name": "X-User"},
        }
    ],
    "POST api/v1/experiments/<int:experiment_id>/conclude": [{"winner": "b", "rollout": "canary", "reason": "x"}],
    "POST api/v1/outcomes": [
        {"endpoint": "e", "request_id": "r-1", "label": "x", "reward": 1},
        {"endpoint": "e", "outcomes": [{"request_id": "r-1", "label": "x"}]},
        {"endpoint": "e", "request_id": "r-1", "label": {"k": ["v"]}},
    ],
    "POST api/v1/endpoints/<str:slug>/replays": [{"candidate": 2, "source": "captured", "name": "x"}],
    "POST api/v1/endpoints/<str:slug>/rehearse": [{"candidate": 2, "preset": "canary", "reason": "x", "name": "x"}],
    "POST v2/models/<str:slug>/infer": [{**BYTES, "id": "1", "parameters": {"p": "q"}, "outputs": [{"name": "y"}]}],
    "POST v1/models/<str:slug>:predict": [{"instances": [{"x": "a"}], "signature_name": "s"}, {"inputs": {"x": "a"}}],
}
NAMES = sorted(
    f"{method} {path}" for path in APIS if path not in mlflow_table.TABLE for method in TABLE[path] if method != "GET"
)


def spoiled(value: Any, bad: str) -> Iterator[Any]:
    """The value once for each text in it, keys too, with `bad` behind the text's first character."""
    if isinstance(value, str):
        yield value[:1] + bad + value[1:]
    elif isinstance(value, list):
        for at, item in enumerate(value):
            for other in spoiled(item, bad):
                yield [*value[:at], other, *value[at + 1 :]]
    elif isinstance(value, dict):
        for key, item in value.items():
            rest = {name: deepcopy(part) for name, part in value.items() if name != key}
            yield {**rest, key[:1] + bad + key[1:]: item}
            for other in spoiled(item, bad):
                yield {**value, key: other}


def sent(client: Client, method: str, url: str, headers: dict[str, str], **facts: Any) -> int:
    """The answer's status; whatever it did is undone."""
    client.raise_request_exception = False
    with transaction.atomic():
        status = int(client.generic(method, url, headers=headers, **facts).status_code)
        transaction.set_rollback(True)
    return status


@pytest.fixture
def headers(world: World) -> dict[str, str]:
    _row, secret = factories.token_for(world.users["root"])
    return {"Authorization": f"Bearer {secret}"}


def test_bodies__nul_in_each_text__never_500(world: World, client: Client, headers: dict[str, str]) -> None:
    failed = []
    for name in NAMES:
        method, path = name.split(" ", 1)
        url = fill(path, world.parts) + query(name, world.parts)
        for right in [BODIES.get(name, {}), *MORE.get(name, [])]:
            for body in spoiled(right, NUL):
                facts = {"data": json.dumps(body), "content_type": "application/json"}
                status = sent(client, method, url, headers, **facts)
                if status >= 500 and status not in (501, 503):
                    failed.append(f"{status} {name} {facts['data']}")
    assert failed == []


def test_bodies__half_of_a_pair_of_surrogates__refused_as_json(
    world: World, client: Client, headers: dict[str, str]
) -> None:
    """JSON is refused before anybody looks into it, so one text of each body says it."""
    taken = {}
    for name in (name for name in NAMES if BODIES.get(name)):
        method, path = name.split(" ", 1)
        url = fill(path, world.parts) + query(name, world.parts)
        body = next(spoiled(BODIES[name], HALF))
        status = sent(client, method, url, headers, data=json.dumps(body), content_type="application/json")
        if not 400 <= status < 500:
            taken[name] = status
    assert taken == {}


@pytest.mark.parametrize("bad", [NUL, HALF], ids=["nul", "half"])
def test_upload__each_text_of_its_form__refused_with_400(
    world: World, client: Client, headers: dict[str, str], bad: str
) -> None:
    client.raise_request_exception = False
    answers = {}
    for field, right in SAID.items():
        values = [right[:1] + bad] if isinstance(right, str) else [json.dumps(value) for value in spoiled(right, bad)]
        for value in values:
            facts = {"file": SimpleUploadedFile("m.onnx", graphs.add_constant(78.0)), field: value}
            if field == "description" and bad == HALF:
                continue  # A form is UTF-8, where there is no such text.
            with transaction.atomic():
                answer = client.post("/api/v1/models/e/versions", facts, headers=headers)
                transaction.set_rollback(True)
            answers[f"{field} {value}"] = answer.status_code
    assert {what: status for what, status in answers.items() if status != 400} == {}


def test_addresses__nul_in_a_name__not_found_or_refused(world: World, client: Client, headers: dict[str, str]) -> None:
    """Pages too: whoever is signed in there is the test client."""
    answers = {}
    client.force_login(world.users["root"], "django.contrib.auth.backends.ModelBackend")
    for path, method in ((path, method) for path, row in TABLE.items() for method in row):
        for word in ("name", "project", "alias", "slug", "version"):
            if f"<str:{word}>" in path and not path.startswith("ajax-api/"):
                url = fill(path, {**world.parts, word: quote(f"e{NUL}")})
                body = json.dumps(BODIES.get(f"{method} {path}", {}))
                facts = {} if method == "GET" else {"data": body, "content_type": "application/json"}
                answers[f"{method} {path} {word}"] = sent(client, method, url, headers if path in APIS else {}, **facts)
    assert {what: status for what, status in answers.items() if not 400 <= status < 500} == {}


def test_queries__nul_in_each__never_500(world: World, client: Client, headers: dict[str, str]) -> None:
    words = ("search", "project", "order", "status", "action", "actor", "object_type", "object_name", "since", "a")
    words += ("endpoint", "page", "page_size", "model", "state", "keep_last")
    failed = {}
    for path in (path for path in APIS if "GET" in TABLE[path]):
        # Where all of them together are well, none of them is asked for or each of them is.
        each = [dict.fromkeys(words, f"a{NUL}")]
        if path.startswith(("api/v1/audit", "api/v1/models", "api/v1/uploads", "api/v1/versions")):
            each += [{word: f"a{NUL}"} for word in words]
        for said in each:
            url = f"{fill(path, world.parts)}?{urlencode(said)}"
            failed[url] = sent(client, "GET", url, headers)
    assert {what: status for what, status in failed.items() if status >= 500 and status not in (501, 503)} == {}
