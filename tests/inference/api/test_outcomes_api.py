"""`/api/v1/outcomes` over HTTP."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inference.models import Endpoint, Outcome
from inference.outcomes import imports
from registry.models import User
from tests import factories
from tests.inference.outcomes.kept import keep_record

pytestmark = pytest.mark.django_db
URL = "/api/v1/outcomes"
NOTHING = {"accepted": 0, "joined": 0, "unknown": 0, "repeated": 0, "late": 0, "rejected": []}


@pytest.fixture
def endpoint() -> Endpoint:
    return factories.make_endpoint("shop")


@pytest.fixture
def bob(endpoint: Endpoint) -> User:
    return factories.make_user("bob", "viewer")


def post(user: User, body: Any, *scopes: str, endpoints: tuple[str, ...] = ()) -> Any:
    _row, secret = factories.token_for(user, *(scopes or ("predict",)), endpoints=endpoints)
    data = body if isinstance(body, bytes) else json.dumps(body)
    return Client().post(URL, data, content_type="application/json", headers={"Authorization": f"Bearer {secret}"})


def post_file(user: User, data: bytes, **fields: str) -> Any:
    _row, secret = factories.token_for(user, "predict")
    form = {"file": SimpleUploadedFile("truth.csv", data), **fields}
    return Client().post(URL, form, headers={"Authorization": f"Bearer {secret}"})


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_post__one__says_what_became_of_it(endpoint: Endpoint, bob: User) -> None:
    keep_record(endpoint, "r1", 3)
    answer = post(bob, {"endpoint": "shop", "request_id": "r1", "label": 3})
    assert (answer.status_code, answer.json()) == (200, {**NOTHING, "accepted": 1, "joined": 1})


def test_post__list__says_how_many_of_each(endpoint: Endpoint, bob: User) -> None:
    keep_record(endpoint, "r1", 3)
    sent = [{"request_id": "r1", "label": 3}, {"request_id": "r2", "reward": 1}, {"request_id": "r3"}]
    answer = post(bob, {"endpoint": "shop", "outcomes": sent}).json()
    assert (answer["accepted"], answer["joined"], answer["unknown"]) == (2, 1, 1)
    assert answer["rejected"] == [{"index": 2, "code": "no_truth", "message": "Give a label, a reward, or both."}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "no_truth")),
        ({"request_id": "r1", "label": 1}, (400, "no_endpoint")),
        ({"endpoint": "nowhere", "request_id": "r1", "label": 1}, (404, "not_found")),
        ({"endpoint": "a\0b", "request_id": "r1", "label": 1}, (404, "not_found")),
        ({"endpoint": "x" * 5_000, "request_id": "r1", "label": 1}, (404, "not_found")),
        ({"endpoint": ["shop"], "request_id": "r1", "label": 1}, (400, "no_endpoint")),
        ({"endpoint": "shop", "label": 1}, (400, "invalid_request_id")),
        ({"endpoint": "shop", "request_id": 7, "label": 1}, (400, "invalid_request_id")),
        ({"endpoint": "shop", "request_id": "a\0b", "label": 1}, (400, "invalid_request_id")),
        ({"endpoint": "shop", "request_id": "r1", "label": {"a": 1}}, (400, "invalid_label")),
        ({"endpoint": "shop", "request_id": "r1", "label": [[1]]}, (400, "invalid_label")),
        ({"endpoint": "shop", "request_id": "r1", "label": [1] * 1_001}, (400, "invalid_label")),
        ({"endpoint": "shop", "request_id": "r1", "label": "a\0b"}, (400, "invalid_label")),
        ({"endpoint": "shop", "request_id": "r1", "label": None}, (400, "no_truth")),
        ({"endpoint": "shop", "request_id": "r1", "reward": "1"}, (400, "invalid_reward")),
        ({"endpoint": "shop", "request_id": "r1", "reward": True}, (400, "invalid_reward")),
        ({"endpoint": "shop", "request_id": "r1", "label": 1, "at": 3}, (400, "invalid_at")),
        ({"endpoint": "shop", "request_id": "r1", "lable": 1}, (400, "unknown_field")),
        ({"endpoint": "shop", "outcomes": {}}, (400, "invalid_input")),
        ({"endpoint": "shop", "outcomes": [], "request_id": "r1"}, (400, "unknown_field")),
        (b'{"endpoint": "shop", "request_id": "r1", "reward": 1e999}', (400, "invalid_json")),
        (b'{"endpoint": "shop", "request_id": "r1", "reward": NaN}', (400, "invalid_json")),
        (b'{"label": 1, "label": 2}', (400, "duplicate_key")),
        (b"[1]", (400, "invalid_json")),
        (b"\xff\xfe", (400, "invalid_json")),
    ],
)
def test_post__bad_body__clear_error_and_nothing_kept(bob: User, body: Any, expected: tuple[int, str]) -> None:
    assert code_of(post(bob, body)) == expected
    assert not Outcome.objects.exists()


def test_post__too_many__413_and_nothing_kept(bob: User) -> None:
    most = [{"request_id": f"r{place}", "label": 1} for place in range(10_000)]
    assert post(bob, {"endpoint": "shop", "outcomes": most}).json()["accepted"] == 10_000
    more = [{"request_id": f"s{place}", "label": 1} for place in range(10_001)]
    assert code_of(post(bob, {"endpoint": "shop", "outcomes": more})) == (413, "too_many_outcomes")
    assert Outcome.objects.count() == 10_000


def test_post__no_right__refused(endpoint: Endpoint, bob: User) -> None:
    one = {"endpoint": "shop", "request_id": "r1", "label": 1}
    assert code_of(post(bob, one, "read")) == (403, "missing_scope")
    assert code_of(post(factories.make_user("eve", "owner", factories.make_project("other")), one)) == (
        404,
        "not_found",
    )
    factories.make_endpoint("more")
    assert code_of(post(bob, one, endpoints=("more",))) == (404, "not_found")
    assert post(bob, one, endpoints=("shop",)).json()["accepted"] == 1


def test_post__small_table__taken_at_once(endpoint: Endpoint, bob: User) -> None:
    keep_record(endpoint, "r1", 3)
    answer = post_file(bob, b"request_id,label\nr1,3\nr2,4\n", endpoint="shop")
    assert (answer.status_code, answer.json()) == (200, {**NOTHING, "accepted": 2, "joined": 1, "unknown": 1})


def test_post__bad_table__clear_error(bob: User) -> None:
    assert code_of(post_file(bob, b"a,b\n1,2\n", endpoint="shop")) == (400, "wrong_columns")
    assert code_of(post_file(bob, b"", endpoint="shop")) == (400, "wrong_columns")
    assert code_of(post_file(bob, b"request_id,label\n")) == (400, "no_endpoint")
    assert code_of(post_file(bob, b"request_id,label\n", endpoint="nowhere")) == (404, "not_found")


def test_post__large_table__202_and_its_state_to_be_asked_for(endpoint: Endpoint, bob: User) -> None:
    lines = b"".join(b"request-%09d,%d\n" % (place, place % 3) for place in range(60_000))
    answer = post_file(bob, b"request_id,label\n" + lines, endpoint="shop")
    assert answer.status_code == 202
    made = answer.json()
    assert answer["Location"] == f"{URL}/imports/{made['id']}"
    _row, secret = factories.token_for(bob, "predict")
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client().get(answer["Location"], headers=headers).json()["state"] == "queued"
    imports.run_import(made["id"])
    state = Client().get(answer["Location"], headers=headers).json()
    assert (state["state"], state["n_rows"], state["accepted"], state["unknown"]) == ("done", 60_000, 60_000, 60_000)
    assert not {"endpoint_id", "columns"} & set(state)
    eve = factories.make_user("eve", "owner", factories.make_project("other"))
    foreign = {"Authorization": f"Bearer {factories.token_for(eve, 'predict')[1]}"}
    assert code_of(Client().get(answer["Location"], headers=foreign)) == (404, "not_found")
    assert code_of(Client().get(f"{URL}/imports/{uuid.uuid4()}", headers=headers)) == (404, "not_found")


def test_summary__by_version__right_and_reward_over_http_and_on_the_page(endpoint: Endpoint, bob: User) -> None:
    for number, label in enumerate((1, 1, 1, 2)):
        keep_record(endpoint, f"s-{number}")
        post(bob, {"endpoint": "shop", "request_id": f"s-{number}", "label": label, "reward": 0.5})
    _row, secret = factories.token_for(bob, "read")
    answer = Client().get("/api/v1/endpoints/shop/outcomes", headers={"Authorization": f"Bearer {secret}"})
    (row,) = answer.json()
    assert (row["version"], row["n"], row["n_wrong"]) == (1, 4, 1)
    assert (row["share_right"], row["mean_reward"]) == (0.75, 0.5)
    client = Client()
    client.force_login(bob, "django.contrib.auth.backends.ModelBackend")
    assert "what came true" in client.get("/endpoints/shop").content.decode()
