"""One id from the caller's header through the answer, the record and the tasks."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.lib.request_ids import accept_or_create
from registry.models import AuditEvent
from tests import factories


@pytest.mark.parametrize("given", ["a", "A-1.b:c_d", "x" * 128, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"])
def test_accept__well_formed__kept(given: str) -> None:
    assert accept_or_create(given) == given


@pytest.mark.parametrize("given", [None, "", " ", "a b", "x" * 129, "a\n", "<b>", "ü", "a;b", "a\x00"])
def test_accept__anything_else__a_fresh_one(given: str | None) -> None:
    made = accept_or_create(given)
    assert made != given
    assert len(made) == 32
    assert accept_or_create(given) != made


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/models", "/v2", "/", "/no-such-page", "/accounts/login/"])
def test_answer__any_path__carries_it(db: None, client: Client, path: str) -> None:
    assert client.get(path, headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    assert len(client.get(path).headers["X-Request-Id"]) == 32


def test_record__acts_of_a_request__carry_its_id_also_when_it_was_made_here(db: None, client: Client) -> None:
    _row, secret = factories.token_for(factories.make_user("alice", "data_scientist"))
    factories.make_project()
    for name, headers in (("one", {"X-Request-Id": "mine-2"}), ("two", {})):
        answer = client.post(
            "/api/v1/models",
            {"name": name},
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}", **headers},
        )
        event = AuditEvent.objects.get(action="model.created", object_name=name)
        assert event.request_id == answer.headers["X-Request-Id"]
