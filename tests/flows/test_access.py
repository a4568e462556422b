"""Who may do what, over HTTP: alice operates, bob is a viewer, charlie is no member."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import graphs
from tests.flows.portal import Answer, Client, Portal


@pytest.fixture(scope="module")
def target(alice: Client) -> str:
    return alice.serve("who-may", graphs.add_constant(10.0))


def infer(client: Client, slug: str) -> Answer:
    return client.infer(slug, [[1, 2, 3, 4]])


def test_viewer__reads_and_predicts_but_moves_nothing(bob: Client, target: str) -> None:
    assert bob.get(f"/api/v1/models/{target}").status == 200
    assert bob.get(f"/api/v1/endpoints/{target}").body["epoch"] == 1
    assert infer(bob, target).status == 200
    refused = [
        bob.post("/api/v1/models", {"name": "bobs"}),
        bob.upload(target, graphs.add_constant(5.0)),
        bob.post(f"/api/v1/endpoints/{target}/promote", {"version": 1, "reason": "x"}),
        bob.post(f"/api/v1/endpoints/{target}/rollback", {"reason": "x"}),
        bob.split(target, stable=(1, 10_000)),
        bob.call("DELETE", f"/api/v1/models/{target}"),
        bob.call("PUT", f"/api/v1/models/{target}/aliases/champion", {"version": 1}),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)
    assert {answer.error["code"] for answer in refused} == {"not_allowed"}
    assert bob.get(f"/api/v1/endpoints/{target}").body["epoch"] == 1


def test_stranger__sees_nothing_and_cannot_tell_missing_from_hidden(charlie: Client, target: str) -> None:
    for path in (
        "/api/v1/models/{}",
        "/api/v1/models/{}/versions",
        "/api/v1/models/{}/versions/1/download",
        "/api/v1/endpoints/{}",
        "/api/v1/endpoints/{}/split",
        "/v2/models/{}",
        "/v2/models/{}/ready",
    ):
        hidden, missing = charlie.get(path.format(target)), charlie.get(path.format("no-such"))
        assert hidden.status == missing.status == 404
        assert _shape(hidden, target) == _shape(missing, "no-such")
    hidden, missing = infer(charlie, target), infer(charlie, "no-such")
    assert (hidden.status, _shape(hidden, target)) == (404, _shape(missing, "no-such"))
    for path in ("/api/v1/models", "/api/v1/endpoints", "/api/v1/jobs", "/api/v1/audit"):
        assert charlie.get(path).body["results"] == []


def _shape(answer: Answer, name: str) -> str:
    """The body without what differs by name and by request."""
    return str(answer.body).replace(answer.headers["X-Request-Id"], "").replace(name, "")


@pytest.mark.parametrize("token", [None, "", "swy_00000000_unknown", "nonsense", "swy_" + "x" * 4000])
def test_token__missing_or_foreign__401_at_both_apis(portal: Portal, target: str, token: str | None) -> None:
    nobody = portal.client(token)
    management, prediction = nobody.get("/api/v1/models"), infer(nobody, target)
    assert (management.status, prediction.status) == (401, 401)
    assert {management.error["code"], prediction.v2_error["code"]} <= {"not_authenticated", "invalid_token"}
    for answer in (management, prediction):
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert not token or token not in str(answer.body)


def test_token__expired__401(portal: Portal, target: str) -> None:
    client = portal.client(portal.create_token("alice", "read", "predict", options=("--days", "1")))
    assert infer(client, target).status == 200
    prefix = str(client.token).split("_")[1]
    portal.query(
        "UPDATE registry_apitoken SET expires_at = %s WHERE prefix = %s", datetime(2020, 1, 1, tzinfo=UTC), prefix
    )
    _ends_everywhere(client, target)
    assert client.get("/api/v1/models").error["code"] == "invalid_token"


def test_token__revoked__refused_by_every_process_at_once(portal: Portal, alice: Client, target: str) -> None:
    made = alice.post("/api/v1/tokens", {"name": "short-lived", "scopes": ["read", "predict"]})
    assert made.status == 201
    client = portal.client(made.body["token"])
    assert {infer(portal.client(client.token), target).status for _ in range(20)} == {200}
    assert alice.call("DELETE", f"/api/v1/tokens/{made.body['id']}").status == 204
    _ends_everywhere(client, target)
    assert client.get("/api/v1/models").status == 401


def _ends_everywhere(client: Client, target: str) -> None:
    """A second after it ended, a token is unknown to all processes; fresh connections reach each of them."""
    time.sleep(1.5)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: infer(Client(client.url, client.token), target).status, range(40)))
    assert set(answers) == {401}


def test_membership__taken_away__token_loses_it_too(portal: Portal, target: str) -> None:
    portal.manage(
        "shell",
        "-v",
        "0",
        "-c",
        """
from registry.models import Membership, Project, User
dora = User.objects.create_user("dora", password="a-long-passw0rd")
Membership.objects.create(project=Project.objects.get(slug="default"), user=dora, role="operator")
""",
    )
    dora = portal.client(portal.create_token("dora", "read", "predict", "deploy"))
    assert infer(dora, target).status == 200
    portal.query(
        "DELETE FROM registry_membership WHERE user_id = (SELECT id FROM registry_user WHERE username = 'dora')"
    )
    time.sleep(1.5)
    assert infer(dora, target).status == 404
    assert dora.get(f"/api/v1/endpoints/{target}").status == 404


def test_scope__missing__403_names_it(alice: Client, portal: Portal, target: str) -> None:
    made = alice.post("/api/v1/tokens", {"name": "narrow", "scopes": ["read"]})
    narrow = portal.client(made.body["token"])
    assert narrow.get("/api/v1/models").status == 200
    for answer, scope in [
        (narrow.post("/api/v1/models", {"name": "x"}), "upload"),
        (narrow.post(f"/api/v1/endpoints/{target}/promote", {"version": 1, "reason": "x"}), "deploy"),
        (narrow.get("/api/v1/tokens"), "admin"),
        (narrow.post("/api/v1/jobs", {}), "jobs"),
    ]:
        assert answer.status == 403
        assert answer.error["code"] == "missing_scope"
        assert answer.error["details"] == {"scope": scope}
    prediction = infer(narrow, target)
    assert (prediction.status, prediction.v2_error["code"]) == (403, "missing_scope")


def test_token__cannot_make_a_stronger_one(alice: Client, portal: Portal) -> None:
    weak = portal.client(alice.post("/api/v1/tokens", {"name": "weak", "scopes": ["admin", "read"]}).body["token"])
    assert weak.post("/api/v1/tokens", {"name": "more", "scopes": ["deploy"]}).status == 403
    assert weak.post("/api/v1/tokens", {"name": "same", "scopes": ["read"]}).status == 201


def test_token__for_one_endpoint__sees_no_other(alice: Client, portal: Portal, target: str, name: str) -> None:
    other = alice.serve(name, graphs.add_constant(10.0))
    made = alice.post("/api/v1/tokens", {"name": "one", "scopes": ["read", "predict", "deploy"], "endpoints": [other]})
    one = portal.client(made.body["token"])
    assert infer(one, other).status == 200
    assert infer(one, target).status == 404
    assert one.get(f"/api/v1/endpoints/{target}").status == 404
    assert one.post(f"/api/v1/endpoints/{target}/promote", {"version": 1, "reason": "x"}).status == 404
    assert [item["slug"] for item in one.get("/api/v1/endpoints").body["results"]] == [other]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "days": 0},
        {"name": "x", "scopes": ["read"], "days": 10**9},
    ],
)
def test_create_token__bad_body__400(alice: Client, body: dict[str, Any]) -> None:
    answer = alice.post("/api/v1/tokens", body)
    assert answer.status == 400
    assert answer.error["message"]


def test_create_token_command__unknown_user__one_sentence_and_no_token(portal: Portal) -> None:
    done = portal.manage("create_token", "--user", "nobody-here", "--name", "x", check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "There is no user “nobody-here”." in done.stderr
    assert "Traceback" not in done.stderr


def test_tokens__only_ones_own_are_listed_and_no_secret_is(alice: Client, bob: Client) -> None:
    mine = alice.get("/api/v1/tokens").body["results"]
    assert {item["user"] for item in mine} == {"alice"}
    assert "digest" not in mine[0]
    assert "token" not in mine[0]
    assert bob.call("DELETE", f"/api/v1/tokens/{mine[0]['id']}").status == 404
