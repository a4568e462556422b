"""The pages of experiments without a browser: the form, the findings, the end."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inference.models import Endpoint, Experiment
from tests import factories
from tests.inference.experiments.made import counted, endpoint, running

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true", "HX-Target": "dialog-body"}
FORM = {
    "name": "fewer failures",
    "hypothesis": "",
    "metric": "error",
    "min_effect": "0.02",
    "planned_size": "2000",
    "key_by": "header",
    "key_0": "control",
    "version_0": "1",
    "weight_0": "50",
    "key_1": "b",
    "version_1": "2",
    "weight_1": "50",
    "reason": "to know",
}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(factories.make_user("olga", "operator"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(factories.make_user("vera", "viewer"))
    return client


def test_list__nothing_yet__teaches_with_the_form_and_the_curl_line(operator: Client) -> None:
    endpoint()
    page = operator.get("/endpoints/shop/experiments").content.decode()
    assert "No experiment yet" in page
    assert "/api/v1/endpoints/shop/experiments" in page
    assert "Begin the experiment" in page


def test_list__viewer__has_no_form_and_may_not_send_it(viewer: Client) -> None:
    endpoint()
    assert "Begin the experiment" not in viewer.get("/endpoints/shop/experiments").content.decode()
    assert viewer.post("/endpoints/shop/experiments", {**FORM, "epoch": "1"}).status_code == 403
    assert Experiment.objects.count() == 0


def test_form__filled_in__begins_and_answers_303(operator: Client) -> None:
    shop = endpoint()
    form = {**FORM, "epoch": shop.epoch, "error_increase": "0.01", "stop": "on", "key_name": "X-Customer"}
    answer = operator.post("/endpoints/shop/experiments", form)
    made = Experiment.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/experiments/{made.pk}")
    assert (made.state, made.guardrails) == ("running", {"error_increase": 0.01, "stop": True})
    assert made.assignment == {"by": "header", "name": "X-Customer"}
    page = operator.get("/endpoints/shop/experiments").content.decode()
    assert "One at a time" in page


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weight_1": "40"}, "The weights sum to 9000 basis points"),
        ({"weight_1": "", "weight_0": "100"}, "2 to 5 arms"),
        ({"version_1": "1"}, "another version"),
        ({"version_1": "9"}, "not one of the available choices"),
        ({"key_1": "B b"}, "variant key"),
        ({"min_effect": "nan"}, "Enter a number"),
        ({"min_effect": "-1"}, "above 0"),
        ({"planned_size": "-5"}, "whole number of keys"),
        ({"reason": " "}, "This field is required"),
        ({"metric": "speed"}, "not one of the available choices"),
    ],
)
def test_form__wrong__keeps_the_input_and_begins_nothing(
    operator: Client, change: dict[str, str], sentence: str
) -> None:
    shop = endpoint()
    answer = operator.post("/endpoints/shop/experiments", {**FORM, "epoch": shop.epoch, **change})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert 'value="fewer failures"' in page
    assert (Experiment.objects.count(), Endpoint.objects.get().epoch) == (0, 1)


def test_list__divided_traffic__says_what_to_do_first(operator: Client) -> None:
    factories.split(endpoint(), 1_000)
    page = operator.get("/endpoints/shop/experiments").content.decode()
    assert "promote one first" in page
    assert "Begin the experiment" not in page


def test_page__decided__says_the_verdict_with_plot_shares_and_table(operator: Client) -> None:
    experiment = counted(running(), control=(3_000, 600), b=(3_000, 150))
    page = operator.get(f"/experiments/{experiment.pk}").content.decode()
    assert "b is better than control" in page
    assert page.count('class="interval"') == 1
    assert "Yes, as far as can be seen" in page
    assert f'hx-get="/experiments/{experiment.pk}/live?seen=' in page
    assert "Conclude or stop" in page
    assert "style=" not in page


def test_page__arms_without_their_keys__is_greyed_out_and_says_so(operator: Client) -> None:
    experiment = counted(running(), control=(3_000, 600), b=(2_000, 100))
    page = operator.get(f"/experiments/{experiment.pk}").content.decode()
    assert "do not trust this" in page
    assert 'opacity="0.4"' in page
    assert "not to be trusted" in page
    assert "b is better" not in page


def test_page__broken_guardrail__stands_above_the_rest(operator: Client) -> None:
    rails = {"error_increase": 0.01}
    experiment = counted(running(metric="latency", guardrails=rails), control=(500, 0), b=(500, 100))
    page = operator.get(f"/experiments/{experiment.pk}").content.decode()
    assert "A guardrail is broken." in page


def test_page__outcomes_without_captures__says_what_is_missing(operator: Client) -> None:
    experiment = running(metric="reward")
    assert "keeps none of its answers" in operator.get(f"/experiments/{experiment.pk}").content.decode()
    Endpoint.objects.update(capture_bp=10_000)
    assert "keeps none of its answers" not in operator.get(f"/experiments/{experiment.pk}").content.decode()


def test_live__seen_already__204_and_after_new_keys_the_part_again(operator: Client) -> None:
    experiment = counted(running(), control=(50, 0), b=(50, 0))
    page = operator.get(f"/experiments/{experiment.pk}").content.decode()
    seen = page.split("live?seen=")[1].split('"')[0]
    path = f"/experiments/{experiment.pk}/live?seen={seen}"
    assert operator.get(path).status_code == 204
    counted(experiment, b=(10, 0), control=(60, 0))
    fresh = operator.get(path)
    assert fresh.status_code == 200
    assert "<html" not in fresh.content.decode()


def test_conclude__dialog__shows_both_states_and_proposes_the_winner(operator: Client) -> None:
    experiment = counted(running(), control=(3_000, 600), b=(3_000, 150))
    page = operator.get(f"/experiments/{experiment.pk}/conclude", headers=HTMX).content.decode()
    assert "<html" not in page
    assert '<option value="b" selected>' in page
    assert "control version 1: 50\u202f%, b version 2: 50\u202f%" in page
    assert "stable version 1: 100\u202f%" in page


@pytest.mark.parametrize(("winner", "state"), [("-", "stopped"), ("control", "concluded"), ("b", "concluded")])
def test_conclude__sent__ends_it_and_answers_303(operator: Client, winner: str, state: str) -> None:
    experiment = running()
    form: dict[str, Any] = {"winner": winner, "rollout": "canary", "reason": "seen enough", "lock_version": 1}
    answer = operator.post(f"/experiments/{experiment.pk}/conclude", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/experiments/{experiment.pk}")
    assert Experiment.objects.get().state == state
    page = operator.get(f"/experiments/{experiment.pk}").content.decode()
    assert "seen enough" in page
    assert "Conclude or stop" not in page
    assert ("/rollouts/" in page) is (winner == "b")


def test_conclude__by_the_slower_one__409_with_the_state_now(operator: Client) -> None:
    experiment = running()
    form = {"winner": "-", "rollout": "canary", "reason": "one", "lock_version": 1}
    operator.post(f"/experiments/{experiment.pk}/conclude", form)
    late = operator.post(f"/experiments/{experiment.pk}/conclude", {**form, "winner": "b"})
    assert late.status_code == 409
    assert "Somebody else was faster: the experiment is stopped now." in late.content.decode()


def test_conclude__without_a_reason__400_and_it_goes_on(operator: Client) -> None:
    experiment = running()
    answer = operator.post(
        f"/experiments/{experiment.pk}/conclude", {"winner": "-", "rollout": "canary", "reason": "", "lock_version": 1}
    )
    assert (answer.status_code, Experiment.objects.get().state) == (400, "running")


@pytest.mark.parametrize("path", ["/experiments/999", "/experiments/999/live", "/experiments/999/conclude"])
def test_pages__unknown_experiment__404(operator: Client, path: str) -> None:
    assert operator.get(path).status_code == 404


def test_pages__of_another_project__404(operator: Client) -> None:
    experiment = running(factories.make_endpoint("far", project=factories.make_project("elsewhere")))
    assert operator.get(f"/experiments/{experiment.pk}").status_code == 404
    assert operator.get("/endpoints/far/experiments").status_code == 404
