"""The forms that move traffic, without a browser: what they answer, and that a refusal changes nothing."""

from __future__ import annotations

import pytest
from django.test import Client

from inference.models import Endpoint
from registry.models import AuditEvent
from tests.factories import make_endpoint, make_rollout, make_user, split

pytestmark = pytest.mark.django_db(transaction=True)
SPLIT = {
    "version_stable": "1",
    "weight_stable": "90",
    "version_canary": "2",
    "weight_canary": "10",
    "reason": "a tenth",
}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user("olga", "operator"))
    return client


def live(endpoint: Endpoint) -> list[tuple[str, int, int]]:
    endpoint.refresh_from_db()
    assert endpoint.live_split is not None
    shares = endpoint.live_split.shares.order_by("id")
    return list(shares.values_list("variant__key", "variant__version__number", "weight_bp"))


def test_promote__with_a_reason__answers_303_and_is_recorded_with_it(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    answer = operator.post("/endpoints/shop/promote", {"version": "2", "reason": "better", "epoch": endpoint.epoch})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/endpoints/shop")
    assert live(endpoint) == [("stable", 2, 10_000)]
    event = AuditEvent.objects.filter(action="endpoint.promoted").first()
    assert event is not None
    assert (event.actor_name, event.reason) == ("olga", "better")


def test_promote__from_a_dialog__sends_the_browser_on_with_a_header(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    form = {"version": "2", "reason": "better", "epoch": endpoint.epoch}
    answer = operator.post("/endpoints/shop/promote", form, headers={"HX-Request": "true", "HX-Target": "dialog-body"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/endpoints/shop")


def test_dialog__asked_for_by_htmx__comes_without_the_frame(operator: Client) -> None:
    make_endpoint("shop")
    headers = {"HX-Request": "true", "HX-Target": "dialog-body"}
    bare = operator.get("/endpoints/shop/promote", headers=headers).content.decode()
    whole = operator.get("/endpoints/shop/promote").content.decode()
    assert "<html" not in bare
    assert 'hx-target="#dialog-body"' in bare
    assert "<html" in whole


def test_promote__without_a_reason__keeps_the_input_and_changes_nothing(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    answer = operator.post("/endpoints/shop/promote", {"version": "2", "reason": " ", "epoch": endpoint.epoch})
    assert answer.status_code == 400
    assert '<option value="2" selected>' in answer.content.decode()
    assert live(endpoint) == [("stable", 1, 10_000)]


def test_promote__at_an_old_epoch__shows_the_new_state_with_409(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    seen = endpoint.epoch
    split(endpoint, 1_000)
    answer = operator.post("/endpoints/shop/promote", {"version": "2", "reason": "late", "epoch": seen})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else moved the traffic meanwhile" in page
    assert f'name="epoch" value="{seen + 1}"' in page
    assert live(endpoint) == [("stable", 1, 9_000), ("canary", 2, 1_000)]


def test_split__that_sums_to_100__is_applied(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    answer = operator.post("/endpoints/shop/split", {**SPLIT, "epoch": endpoint.epoch})
    assert answer.status_code == 303
    assert live(endpoint) == [("stable", 1, 9_000), ("canary", 2, 1_000)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weight_stable": "80"}, "The shares sum to 90 %"),
        ({"weight_stable": "90.001"}, "no more than 2 decimal places"),
        ({"weight_stable": "-10", "weight_canary": "110"}, "greater than or equal to 0"),
        ({"weight_stable": "ninety"}, "Enter a number"),
        ({"version_canary": ""}, "Choose a version"),
        ({"version_canary": "7"}, "7 is not one of the available choices"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_split__that_is_wrong__says_so_and_changes_nothing(
    operator: Client, change: dict[str, str], sentence: str
) -> None:
    endpoint = make_endpoint("shop")
    answer = operator.post("/endpoints/shop/split", {**SPLIT, **change, "epoch": endpoint.epoch})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert live(endpoint) == [("stable", 1, 10_000)]


def test_split__preview__draws_what_was_typed(operator: Client) -> None:
    make_endpoint("shop")
    form = {key: value for key, value in SPLIT.items() if key != "reason"}
    answer = operator.get("/endpoints/shop/split", form, headers={"HX-Request": "true", "HX-Target": "after"})
    page = answer.content.decode()
    assert "stable version 1: 90\u202f%, canary version 2: 10\u202f%" in page
    assert "This field is required" not in page


def test_roll_back__to_the_split_before__and_to_a_named_revision(operator: Client) -> None:
    endpoint = split(make_endpoint("shop"), 500)
    assert operator.post("/endpoints/shop/rollback", {"reason": "odd", "epoch": endpoint.epoch}).status_code == 303
    assert live(endpoint) == [("stable", 1, 10_000)]
    form = {"reason": "not so odd", "epoch": endpoint.epoch, "revision": "2"}
    assert operator.post("/endpoints/shop/rollback", form).status_code == 303
    assert live(endpoint) == [("stable", 1, 9_500), ("canary", 2, 500)]


def test_rehearse__shows_what_it_took_and_moves_nothing(operator: Client) -> None:
    endpoint = split(make_endpoint("shop"), 500)
    assert "Rehearse" in operator.get("/endpoints/shop").content.decode()
    assert operator.post("/endpoints/shop/rehearse").status_code == 303
    assert "Nothing was moved" in operator.get("/endpoints/shop").content.decode()
    assert live(endpoint) == [("stable", 1, 9_500), ("canary", 2, 500)]


def test_roll_back__where_nothing_was_before__offers_no_button(operator: Client) -> None:
    make_endpoint("shop")
    page = operator.get("/endpoints/shop/rollback").content.decode()
    assert "There is nothing to roll back to" in page
    assert "button-danger" not in page


@pytest.mark.parametrize("path", ["promote", "split", "rollback", "delete"])
def test_forms__by_a_viewer__are_refused_and_not_offered(path: str) -> None:
    endpoint = make_endpoint("shop")
    viewer = Client()
    viewer.force_login(make_user("vera", "viewer"))
    assert viewer.get(f"/endpoints/shop/{path}").status_code == 403
    form = {**SPLIT, "version": "2", "epoch": endpoint.epoch}
    assert viewer.post(f"/endpoints/shop/{path}", form).status_code == 403
    assert live(endpoint) == [("stable", 1, 10_000)]
    assert f"/endpoints/shop/{path}" not in viewer.get("/endpoints/shop").content.decode()


@pytest.mark.parametrize("path", ["", "/promote", "/split", "/rollback", "/delete"])
def test_pages__of_a_foreign_project__are_as_if_missing(path: str) -> None:
    make_endpoint("shop")
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert stranger.get(f"/endpoints/shop{path}").status_code == 404


def test_delete__with_a_reason__takes_the_address_away() -> None:
    endpoint = make_endpoint("shop")
    owner = Client()
    owner.force_login(make_user("oscar", "owner"))
    answer = owner.post("/endpoints/shop/delete", {"reason": "retired", "epoch": endpoint.epoch})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/endpoints")
    assert owner.get("/endpoints/shop").status_code == 404


@pytest.mark.parametrize("act", ["promote", "split"])
def test_form__a_rollout_moves_the_traffic__says_so_and_cannot_be_sent(operator: Client, act: str) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    page = operator.get(f"/endpoints/shop/{act}").content.decode()
    assert f"Rollout {rollout.pk} moves this traffic: roll it back or let it end first." in page
    assert 'disabled aria-describedby="refused"' in page
    assert 'name="reason"' not in page
