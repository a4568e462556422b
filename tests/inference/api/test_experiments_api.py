"""Experiments over HTTP: the contract's paths and bodies, and what is answered to those who get them wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from inference.models import Endpoint, Experiment
from tests import factories
from tests.inference.experiments.made import arms, counted, endpoint, running, wish

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
LIST = "/api/v1/endpoints/shop/experiments"


@pytest.fixture
def call(client: Client) -> Call:
    _row, secret = factories.token_for(factories.make_user("olga", "operator"))

    def ask(method: str, path: str, body: Any = None, token: str = secret, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        text = body if isinstance(body, str) else json.dumps(body)
        facts = {} if body is None else {"data": text, "content_type": "application/json"}
        return getattr(client, method.lower())(path, headers=sent, **facts)

    return ask


def test_experiments__begun_read_listed_concluded(call: Call) -> None:
    endpoint()
    made = call("POST", LIST, {**wish(), "reason": "to know"})
    assert made.status_code == 201
    body = made.json()
    assert made.headers["Location"] == f"/api/v1/experiments/{body['id']}"
    assert (body["state"], body["endpoint"], body["winner"], body["rollout"]) == ("running", "shop", None, None)
    assert body["arms"] == [
        {"key": "control", "version": 1, "weight_bp": 5_000},
        {"key": "b", "version": 2, "weight_bp": 5_000},
    ]
    assert body["verdict"] == {
        "code": "undecided",
        "sentence": "Undecided: no key has been counted yet.",
        "breaches": [],
    }
    counted(Experiment.objects.get(), control=(3_000, 600), b=(3_000, 150))
    read = call("GET", f"/api/v1/experiments/{body['id']}").json()
    assert (read["verdict"]["code"], read["verdict"]["arms"][1]["n_units"]) == ("winner", 3_000)
    assert read["verdict"]["sentence"].startswith("b is better than control")
    assert "told" not in read["verdict"]
    assert [row["id"] for row in call("GET", LIST).json()["results"]] == [body["id"]]
    assert call("GET", f"{LIST}?state=stopped").json()["results"] == []
    done = call("POST", f"/api/v1/experiments/{body['id']}/conclude", {"winner": "b", "reason": "better"})
    assert done.status_code == 200
    ended = done.json()
    assert (ended["state"], ended["winner"], ended["converged"]["processes"]) == ("concluded", "b", 0)
    assert ended["rollout"] is not None
    again = call("POST", f"/api/v1/experiments/{body['id']}/conclude", {"winner": "b", "reason": "better"})
    assert (again.status_code, again.json()["rollout"]) == (200, ended["rollout"])
    late = call("POST", f"/api/v1/experiments/{body['id']}/conclude", {"winner": None, "reason": "no"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "experiment_ended")
    assert late.json()["error"]["details"]["state"] == "concluded"


def test_post__an_experiment_runs__409_with_its_id(call: Call) -> None:
    running()
    answer = call("POST", LIST, {**wish(), "reason": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "experiment_running")
    assert answer.json()["error"]["details"]["experiment"] == Experiment.objects.get().pk


def test_post__at_an_old_epoch__409(call: Call) -> None:
    endpoint()
    answer = call("POST", LIST, {**wish(), "reason": "x"}, If_Match='"0"')
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "epoch_moved")
    assert Experiment.objects.count() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"min_effect": "nan"},
        {"min_effect": "inf"},
        {"min_effect": -1},
        {"min_effect": None},
        {"planned_size": -1},
        {"planned_size": 10**30},
        {"metric": "speed"},
        {"arms": arms(5_000, 4_000)},
        {"arms": [*arms(5_000, 5_000)[:1], *arms(5_000, 5_000)[:1]]},
        {"arms": [{"key": "control", "version": 1}]},
        {"arms": {"control": 1}},
        {"arms": "x"},
        {"reason": ""},
        {"name": ""},
        {"guardrails": "x"},
        {"guardrails": {"error_increase": "1"}},
        {"assignment": {"by": "request"}},
        {"assignment": "header"},
    ],
)
def test_post__a_wrong_body__400_and_nothing_moves(call: Call, change: dict[str, Any]) -> None:
    endpoint()
    answer = call("POST", LIST, {**wish(), "reason": "x", **change})
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["message"]
    assert (Experiment.objects.count(), Endpoint.objects.get().epoch) == (0, 1)


@pytest.mark.parametrize("body", ["[]", "1", "null", "{", '{"min_effect": NaN}'])
def test_post__no_json_object__400(call: Call, body: str) -> None:
    endpoint()
    assert call("POST", LIST, body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "x"},
        {"winner": "z", "reason": "x"},
        {"winner": 7, "reason": "x"},
        {"winner": ["b"], "reason": "x"},
        {"winner": "b"},
        {"winner": "b", "reason": "x", "rollout": "moonshot"},
    ],
)
def test_conclude__a_wrong_body__400_and_it_goes_on(call: Call, body: dict[str, Any]) -> None:
    experiment = running()
    answer = call("POST", f"/api/v1/experiments/{experiment.pk}/conclude", body)
    assert answer.status_code == 400
    assert Experiment.objects.get().state == "running"


@pytest.mark.parametrize("number", ["0", "999", "9" * 30])
def test_experiment__unknown__404(call: Call, number: str) -> None:
    assert call("GET", f"/api/v1/experiments/{number}").status_code == 404
    body = {"winner": None, "reason": "x"}
    assert call("POST", f"/api/v1/experiments/{number}/conclude", body).status_code == 404


def test_experiment__of_another_project_or_endpoint__404(call: Call) -> None:
    other = factories.make_endpoint("shop", project=factories.make_project("elsewhere"))
    experiment = running(other)
    assert call("GET", f"/api/v1/experiments/{experiment.pk}").status_code == 404
    assert call("GET", LIST).status_code == 404
    owner = factories.make_user("paul", "owner", project=other.project)
    _row, narrow = factories.token_for(owner, endpoints=("other-one",))
    _row, wide = factories.token_for(owner, endpoints=("shop",))
    path = f"/api/v1/experiments/{experiment.pk}"
    assert [call("GET", path, token=token).status_code for token in (narrow, wide)] == [404, 200]


def test_experiment__viewer__reads_and_may_not_end_it(call: Call) -> None:
    experiment = running()
    _row, viewer = factories.token_for(factories.make_user("vera", "viewer"))
    assert call("GET", f"/api/v1/experiments/{experiment.pk}", token=viewer).status_code == 200
    body = {"winner": None, "reason": "x"}
    answer = call("POST", f"/api/v1/experiments/{experiment.pk}/conclude", body, token=viewer)
    assert (answer.status_code, Experiment.objects.get().state) == (403, "running")
