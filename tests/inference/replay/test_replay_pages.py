"""Replays on pages: form, verdict, differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inference.models import Endpoint, ReplayDiff, ReplayRun
from inference.pages.replay_rows import rows_of
from inference.replay.services import start_replay
from registry.access.principal import SYSTEM
from tests import factories
from tests.inference.replay.conftest import capture, replay, request_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint() -> Endpoint:
    """Version 1 is live and answers x + 10, version 2 x + 20."""
    return factories.make_endpoint("shop")


def browser(role: str = "operator") -> Client:
    client = Client()
    client.force_login(factories.make_user(f"my-{role}", role))
    return client


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_list__nothing_yet__says_how_to_begin(endpoint: Endpoint) -> None:
    page = browser().get("/endpoints/shop/replays")
    assert page.status_code == 200
    assert "Nothing was replayed yet" in text_of(page)
    assert "Settings of the endpoint" in text_of(page)
    assert "Compared with v1, which is live." in text_of(page)


def test_list__viewer__sees_results_but_no_form(endpoint: Endpoint) -> None:
    replay(endpoint)
    page = browser("viewer").get("/endpoints/shop/replays")
    assert "Start the replay" not in text_of(page)
    assert "Nothing to replay: no request of this endpoint was captured." in text_of(page)
    assert browser("data_scientist").post("/endpoints/shop/replays", {"candidate": 2}).status_code == 403


def test_form__captured_requests__303_to_the_new_replay(endpoint: Endpoint) -> None:
    answer = browser().post("/endpoints/shop/replays", {"candidate": 2, "n_wanted": 50, "tolerated": "1.5"})
    run = ReplayRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/replays/{run.pk}")
    assert (run.n_wanted, run.tolerated, run.source) == (50, 0.015, "captured")


def test_form__file__303_and_its_name_kept(endpoint: Endpoint) -> None:
    file = SimpleUploadedFile("ask.jsonl", json.dumps(request_of(1, 2, 3, 4)).encode())
    form = {"candidate": 2, "n_wanted": 50, "tolerated": "2", "file": file}
    assert browser().post("/endpoints/shop/replays", form).status_code == 303
    assert ReplayRun.objects.values_list("source", "file_name").get() == ("file", "ask.jsonl")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"candidate": 2, "n_wanted": 0, "tolerated": 2}, "greater than or equal to 1"),
        ({"candidate": 2, "n_wanted": 5, "tolerated": 101}, "less than or equal to 100"),
        ({"candidate": 1, "n_wanted": 5, "tolerated": 1}, "Select a valid choice"),
        ({"n_wanted": 5, "tolerated": 1}, "This field is required"),
    ],
)
def test_form__wrong_input__400_with_the_input_kept(endpoint: Endpoint, form: dict, sentence: str) -> None:
    answer = browser().post("/endpoints/shop/replays", form)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert f'value="{form["n_wanted"]}"' in text_of(answer)
    assert not ReplayRun.objects.exists()


def test_form__nothing_live__says_so(db: None) -> None:
    factories.make_endpoint("idle", promoted=None)
    page = browser().get("/endpoints/idle/replays")
    assert "promote a version first" in text_of(page)


def test_replay__failed__verdict_counts_and_both_answers(endpoint: Endpoint) -> None:
    capture(endpoint, request_of(1, 2, 3, 4), request_of(5, 6, 7, 8))
    run = replay(endpoint)
    page = text_of(browser().get(f"/replays/{run.pk}"))
    assert page.index("of 2 requests were answered differently") < page.index("Answered differently")
    assert "<strong>11</strong>" in page
    assert "<strong>21</strong>" in page
    assert "&quot;data&quot;: [1, 2, 3, 4]" in page


def test_replay__viewer__no_contents(endpoint: Endpoint) -> None:
    capture(endpoint, request_of(1, 2, 3, 4))
    page = text_of(browser("viewer").get(f"/replays/{replay(endpoint).pk}"))
    assert "Only operators see what callers sent" in page
    assert "<strong>11</strong>" not in page
    assert "&quot;data&quot;" not in page


def test_replay__of_another_project__404(endpoint: Endpoint) -> None:
    other = factories.make_endpoint("secret", project=factories.make_project("other"))
    run = start_replay(SYSTEM, other, 2)
    client = browser()
    for path in (f"replays/{run.pk}", f"replays/{run.pk}/progress", "endpoints/secret/replays"):
        assert client.get(f"/{path}").status_code == 404


def test_progress__running_then_ended__asks_again_and_then_for_the_whole_page(endpoint: Endpoint) -> None:
    client, run = browser(), start_replay(SYSTEM, endpoint, 2)
    part = client.get(f"/replays/{run.pk}/progress")
    assert "Waiting for a worker" in text_of(part)
    assert 'hx-trigger="every 1s"' in text_of(part)
    ReplayRun.objects.update(state="running", n_requests=1_234)
    assert "1 234 requests replayed so far" in text_of(client.get(f"/replays/{run.pk}/progress"))
    run = replay(endpoint)
    assert client.get(f"/replays/{run.pk}/progress")["HX-Refresh"] == "true"


def test_rows__error_cut_or_hostile_text__shown_as_text() -> None:
    whole = json.dumps({"outputs": [{"name": "<b>", "data": [1.0, None, "a"]}]})
    (row,) = rows_of([ReplayDiff(index=0, stable_outputs=whole, candidate_outputs='{"outputs": [{"na')])
    assert [(value.text, value.differs) for value in row.stable[0].values] == [("1", True), ("NaN", False), ("a", True)]
    assert (row.candidate, row.candidate_text) == ([], '{"outputs": [{"na')
    (row,) = rows_of([ReplayDiff(index=0, stable_outputs="[]", candidate_outputs="model_crashed: it did")])
    assert (row.stable, row.candidate_text) == ([], "model_crashed: it did")
