"""What is loaded, what is locked away, and releasing it, over the API."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import ServingProcess
from inference.quarantine.services import quarantine
from registry.models import ModelVersion, User
from tests import factories
from tests.inference.quarantine.killed import kill

pytestmark = pytest.mark.django_db


def process(*versions: ModelVersion, host: str = "here", pid: int = 1, **facts: Any) -> ServingProcess:
    row = {"memory_bytes": 1000, "runs": 7, "last_used": 1_700_000_000.5, "isolated": False, "restarts": 0}
    lease = timezone.now() + timedelta(seconds=60)
    usual: dict[str, Any] = {"lease_expires_at": lease, "memory_bytes": 90_000, "session_bytes": 1000 * len(versions)}
    usual["sessions"] = [{"sha256": version.sha256, **row} for version in versions]
    return ServingProcess.objects.create(id=uuid.uuid4(), host=host, pid=pid, **{**usual, **facts})


def ask(user: User, method: str, path: str, *scopes: str, **facts: Any) -> Any:
    headers = {"Authorization": f"Bearer {factories.token_for(user, *scopes, **facts)[1]}"}
    data = {"reason": "looked at it"} if method == "post" else None
    return getattr(Client(), method)(f"/api/v1/{path}", data, content_type="application/json", headers=headers)


def test_sessions__loaded_and_live__says_what_where_and_how() -> None:
    endpoint = factories.split(factories.make_endpoint("shop", promoted=1), 1_000)
    version = factories.version_of(endpoint, 2)
    row = process(version, pid=4711)
    answer = ask(factories.make_user("bob", "viewer"), "get", "serving/sessions").json()
    (found,) = answer["processes"]
    assert (found["id"], found["host"], found["pid"]) == (str(row.id), "here", 4711)
    assert (found["leased"], found["memory_bytes"], found["session_bytes"]) == (True, 90_000, 1000)
    assert found["sessions"] == [
        {
            "sha256": version.sha256,
            "versions": [
                {
                    "model": "shop",
                    "version": 2,
                    "endpoints": [{"endpoint": "shop", "variant": "canary", "weight_bp": 1_000}],
                }
            ],
            "memory_bytes": 1000,
            "runs": 7,
            "last_used": "2023-11-14T22:13:20.500000Z",
            "isolated": False,
            "restarts": 0,
        }
    ]


def test_sessions__of_another_project__counted_but_not_named() -> None:
    mine = factories.make_version(factories.make_model("mine"))
    foreign = factories.make_version(factories.make_model("foreign", factories.make_project("other")), 3.0)
    process(mine, foreign)
    answer = ask(factories.make_user("bob", "viewer"), "get", "serving/sessions")
    (found,) = answer.json()["processes"]
    assert ([row["sha256"] for row in found["sessions"]], found["n_hidden"]) == ([mine.sha256], 1)
    assert b"foreign" not in answer.content


def test_sessions__same_bytes_in_two_projects__the_own_version_only() -> None:
    mine = factories.make_version(factories.make_model("mine"), 3.0)
    factories.make_version(factories.make_model("foreign", factories.make_project("other")), 3.0)
    process(mine)
    answer = ask(factories.make_user("bob", "viewer"), "get", "serving/sessions").json()
    assert [row["model"] for row in answer["processes"][0]["sessions"][0]["versions"]] == ["mine"]


def test_sessions__member_of_nothing__no_process() -> None:
    process(factories.make_version(factories.make_model()))
    assert ask(factories.make_user("eve"), "get", "serving/sessions").json()["processes"] == []


def test_sessions__token_for_named_endpoints__names_no_other_endpoint() -> None:
    endpoint = factories.make_endpoint("shop", promoted=1)
    process(factories.version_of(endpoint, 1))
    answer = ask(factories.make_user("bob", "viewer"), "get", "serving/sessions", endpoints=("else",)).json()
    assert answer["processes"][0]["sessions"][0]["versions"][0]["endpoints"] == []


def test_sessions__row_of_an_older_process__read_with_what_it_has() -> None:
    version = factories.make_version(factories.make_model())
    process(sessions=[{"sha256": version.sha256}, {}], lease_expires_at=timezone.now() - timedelta(seconds=1))
    (found,) = ask(factories.make_user("bob", "viewer"), "get", "serving/sessions").json()["processes"]
    assert (found["leased"], found["n_hidden"]) == (False, 1)
    assert (found["sessions"][0]["runs"], found["sessions"][0]["last_used"]) == (0, None)


def test_quarantines__own_project__with_the_deaths() -> None:
    kill(factories.make_version(factories.make_model("mine")))
    kill(factories.make_version(factories.make_model("foreign", factories.make_project("other")), 3.0))
    answer = ask(factories.make_user("bob", "viewer"), "get", "quarantines").json()
    assert [(row["project"], row["model"], row["version"]) for row in answer["results"]] == [("default", "mine", 1)]
    (row,) = answer["results"]
    assert row["reason"] == "It killed its process 2 times within 10 min: crashed (SIGSEGV)."
    assert [(death["cause"], death["signal"], death["isolated"]) for death in row["deaths"]] == [
        ("crashed", "SIGSEGV", True)
    ] * 2


def test_release__operator__answers_with_what_was_released() -> None:
    quarantine(factories.make_version(factories.make_model("mine")), "a test")
    answer = ask(factories.make_user("olga", "operator"), "post", "models/mine/versions/1/release")
    body = answer.json()
    assert (answer.status_code, body["model"], body["version"]) == (200, "mine", 1)
    assert (body["released_by"], body["release_reason"]) == ("olga", "looked at it")
    again = ask(User.objects.get(username="olga"), "post", "models/mine/versions/1/release")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not_quarantined")


@pytest.mark.parametrize(
    ("role", "scope", "status"), [("viewer", "deploy", 403), ("operator", "read", 403), (None, "deploy", 404)]
)
def test_release__no_right__refused(role: str | None, scope: str, status: int) -> None:
    quarantine(factories.make_version(factories.make_model("mine")), "a test")
    answer = ask(factories.make_user("bob", role), "post", "models/mine/versions/1/release", scope)
    assert answer.status_code == status


def test_release__other_projects_version__looks_as_if_it_did_not_exist() -> None:
    version = factories.make_version(factories.make_model("foreign", factories.make_project("other")))
    quarantine(version, "a test")
    answer = ask(factories.make_user("olga", "owner"), "post", "models/foreign/versions/1/release")
    assert answer.status_code == 404
