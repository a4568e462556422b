"""The pages of golden requests, and what the forms that move traffic show of a version's contract."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.template import RequestContext, Template
from django.test import Client, RequestFactory

from inference.golden.running import run_golden
from inference.models import Endpoint, GoldenRequest
from registry.access.principal import SYSTEM
from registry.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
FORM = {
    "name": "<b>ones</b>",
    "request": json.dumps(BODY),
    "record_from": "1",
    "expected": "",
    "rtol": "0.1",
    "atol": "0",
}
FORCE = 'name="force"'
# Of a table's row: the request, its tolerance, where it is furthest off, expected, got, how many of all.
NUMBERS = "ones rtol 0.001, atol 1e-05 y[0, 0] 11.0 21.0 4/4"


@pytest.fixture
def endpoint() -> Endpoint:
    return factories.make_endpoint("shop")


@pytest.fixture
def olga(endpoint: Endpoint) -> Client:
    client = Client()
    client.force_login(factories.make_user("olga", "operator"))
    return client


def _text(answer: Any) -> str:
    return str(answer.content.decode())


def _break(endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 2)
    inputs = [{"name": "<i>z", "datatype": "FP32", "shape": [-1, 4]}]
    version.signature = {**factories.SIGNATURE, "inputs": inputs}
    version.save()


def test_new__recorded__303_listed_and_escaped(olga: Client) -> None:
    made = olga.post("/models/shop/golden/new", FORM)
    assert (made.status_code, made["Location"]) == (303, "/models/shop/golden")
    row = GoldenRequest.objects.get()
    assert (row.request, row.rtol, row.expected[0]["data"]) == (BODY, 0.1, [11.0, 12.0, 13.0, 14.0])
    listed = _text(olga.get("/models/shop/golden"))
    assert "&lt;b&gt;ones&lt;/b&gt;" in listed
    assert "<b>ones" not in listed
    assert "not run yet" in listed


def test_new__what_is_written_down__counts_and_no_version_is_named(olga: Client) -> None:
    expected = [{"name": "y", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]
    assert olga.post("/models/shop/golden/new", {**FORM, "expected": json.dumps(expected)}).status_code == 303
    row = GoldenRequest.objects.get()
    assert (row.expected, row.recorded_from) == (expected, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"request": "{"}, "Enter a valid JSON."),
        ({"request": '{"inputs": 1}'}, "The request is a V2 body"),
        ({"record_from": ""}, "Give the outputs that are expected"),
        ({"expected": "[]"}, "must be a list of at least one V2 output tensor"),
        ({"rtol": "-1"}, "greater than or equal to 0"),
    ],
)
def test_new__wrong__400_with_the_reason_and_what_was_typed(olga: Client, change: dict[str, str], words: str) -> None:
    answer = olga.post("/models/shop/golden/new", {**FORM, **change})
    assert answer.status_code == 400
    assert words in _text(answer)
    assert "&lt;b&gt;ones" in _text(answer)
    assert not GoldenRequest.objects.exists()


def test_new__prefilled__shows_it_and_adds_nothing(olga: Client) -> None:
    answer = olga.post("/models/shop/golden/new", {"prefill": "1", "request": "{}", "record_from": "2"})
    assert answer.status_code == 200
    assert '<option value="2" selected>' in _text(answer)
    # What stands there can be sent as it is: no JSON of JSON, and nothing where nothing is expected.
    assert re.findall(r"<textarea[^>]*>\s*([^<]*)</textarea>", _text(answer)) == ["{}", ""]
    assert not GoldenRequest.objects.exists()


def test_new__from_a_captured_request__its_inputs_for_who_may_see_them(olga: Client, endpoint: Endpoint) -> None:
    record = factories.make_record(endpoint, inputs=json.dumps(BODY["inputs"]), request_id="r-77")
    path = f"/models/shop/golden/new?endpoint=shop&captured={record.pk}"
    page = _text(olga.get(path))
    assert "r-77" in page
    assert "{&quot;inputs&quot;: [{&quot;name&quot;: &quot;x&quot;" in page
    assert "[1, 2, 3, 4]" in page
    dora = Client()
    dora.force_login(factories.make_user("dora", "data_scientist"))
    assert dora.get(path).status_code == 403
    assert dora.get("/models/shop/golden/new").status_code == 200


def test_delete__303_and_recorded(olga: Client, endpoint: Endpoint) -> None:
    row = factories.make_golden(endpoint.model, name="ones")
    path = f"/models/shop/golden/{row.pk}/delete"
    assert "Delete “ones”" in _text(olga.get(path))
    assert olga.post(path).status_code == 303
    assert AuditEvent.objects.filter(action="golden.deleted").count() == 1


def test_activity_of_the_model__added_and_deleted__are_told_by_name(olga: Client) -> None:
    olga.post("/models/shop/golden/new", FORM)
    olga.post(f"/models/shop/golden/{GoldenRequest.objects.get().pk}/delete")
    page = _text(olga.get("/models/shop/activity"))
    told = [page.index(f"{act} the golden request “<bdi>&lt;b&gt;ones") for act in ("deleted", "added")]
    assert told == sorted(told)


def test_list__version_that_failed__shows_the_numbers(olga: Client, endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model, name="ones")
    run_golden(factories.version_of(endpoint, 2).pk, "asked")
    page = _text(olga.get("/models/shop/golden"))
    assert "1 of 1 failed" in page
    assert NUMBERS in " ".join(re.sub("<[^>]*>", " ", page).split())


def test_viewer__sees_no_acts(endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model)
    vera = Client()
    vera.force_login(factories.make_user("vera", "viewer"))
    page = _text(vera.get("/models/shop/golden"))
    assert "Run now" not in page
    assert "/golden/new" not in page
    assert vera.post("/models/shop/versions/1/golden-run").status_code == 403


# --- promote, split, rollout ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/endpoints/shop/promote?version=2",
        "/endpoints/shop/split?version=2",
        "/endpoints/shop/rollouts/new?candidate=2",
    ],
)
def test_forms__box_to_force__only_where_something_breaks(olga: Client, endpoint: Endpoint, path: str) -> None:
    page = _text(olga.get(path))
    assert FORCE not in page
    assert "The same inputs and outputs." in page
    _break(endpoint)
    page = _text(olga.get(path))
    assert re.search(r'<input type="checkbox" name="force"[^>]* required', page)
    assert "Callers break, so nothing moves unless this is ticked." in page
    assert "Breaks callers" in page
    assert "It asks for a new input “&lt;i&gt;z”" in page


def test_promote__breaking__409_until_the_box_is_ticked(olga: Client, endpoint: Endpoint) -> None:
    _break(endpoint)
    form = {"version": "2", "reason": "they know", "epoch": endpoint.epoch}
    refused = olga.post("/endpoints/shop/promote", form)
    assert refused.status_code == 409
    assert "Version 2 would break callers of version 1." in _text(refused)
    assert olga.post("/endpoints/shop/promote", {**form, "force": "on"}).status_code == 303
    event = AuditEvent.objects.filter(action="endpoint.promoted").order_by("-id").first()
    assert event is not None
    assert (event.reason, event.details["forced"]) == ("they know", ["signature_breaking"])


def test_rollout__breaking__409_until_the_box_is_ticked(olga: Client, endpoint: Endpoint) -> None:
    _break(endpoint)
    form = {"candidate": "2", "preset": "canary", "reason": "they know"}
    refused = olga.post("/endpoints/shop/rollouts/new", form)
    assert refused.status_code == 409
    assert FORCE in _text(refused)
    assert olga.post("/endpoints/shop/rollouts/new", {**form, "force": "on"}).status_code == 303


def test_promote__version_that_failed_golden_requests__form_says_so_before(olga: Client, endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model, name="ones")
    page = _text(olga.get("/endpoints/shop/promote?version=2"))
    assert "1 golden request is run before anything moves." in page
    assert FORCE not in page
    run_golden(factories.version_of(endpoint, 2).pk, "asked")
    page = _text(olga.get("/endpoints/shop/promote?version=2"))
    assert NUMBERS in " ".join(re.sub("<[^>]*>", " ", page).split())
    assert FORCE in page
    assert not re.search(r'name="force"[^>]* required', page)


def test_parts__of_model_and_version__as_the_pages_include_them(olga: Client, endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 2)
    text = "{% load golden %}{% golden_of_model version.model %}|{% golden_of_version version %}"

    def drawn() -> list[str]:
        request = RequestFactory().get("/")
        request.principal = SYSTEM  # type: ignore[attr-defined]
        return Template(text).render(RequestContext(request, {"version": version, "request": request})).split("|")

    assert "None. Keep a request with its answer" in drawn()[0]
    assert drawn()[1].strip() == ""
    factories.make_golden(endpoint.model, name="ones")
    assert "not run yet" in drawn()[1]
    run_golden(version.pk, "asked")
    model_part, version_part = drawn()
    assert "1 request with a known answer" in model_part
    assert "1 of 1 failed" in version_part
    assert "csrfmiddlewaretoken" in version_part
    factories.make_golden(endpoint.model, name="two")
    assert "the requests have changed since" in drawn()[1]
