"""The pages of what was kept: captured requests of an endpoint, disagreements of a rollout's shadow."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import (
    Disagreement,
    Endpoint,
    EvidenceWindow,
    Outcome,
    PredictionRecord,
    Rollout,
    RolloutState,
    TrafficSplit,
)
from inference.pages.tensor_rows import MOST_SHOWN, Cell, side_by_side, tensors_of
from tests.factories import make_endpoint, make_project, make_user, version_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator() -> Client:
    return signed_in("olga", "operator")


def signed_in(name: str, role: str, **facts: Any) -> Client:
    client = Client()
    client.force_login(make_user(name, role, **facts))
    return client


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return re.sub(r"\s+", " ", answer.content.decode()).replace("&quot;", '"')


def text(key: str, *data: Any, shape: list[int] | None = None, name: str = "y", datatype: str = "FP32") -> str:
    tensor = {"name": name, "datatype": datatype, "shape": shape or [1, len(data)], "data": list(data)}
    return json.dumps({key: [tensor]})


def record(endpoint: Endpoint, name: str, number: int = 1, **facts: Any) -> PredictionRecord:
    kept = {"inputs": text("inputs", 1.5, name="x"), "outputs": text("outputs", 2.5), "prediction": 2.5, **facts}
    version = version_of(endpoint, number)
    at = timezone.now()
    return PredictionRecord.objects.create(
        request_id=name, endpoint=endpoint, version=version, variant="stable", at=at, seconds=0.004, **kept
    )


def rollout(endpoint: Endpoint) -> Rollout:
    assert endpoint.live_split is not None
    return Rollout.objects.create(
        endpoint=endpoint,
        stable=version_of(endpoint, 1),
        candidate=version_of(endpoint, 2),
        preset="shadow_first",
        base_split=endpoint.live_split,
        epoch=endpoint.epoch,
        state=RolloutState.ABORTED,
    )


def disagreement(of: Rollout, name: str, **facts: Any) -> Disagreement:
    kept = {
        "kind": "numeric",
        "max_abs": 0.25,
        "inputs": text("inputs", 1.5, name="x"),
        "stable_outputs": text("outputs", 2.5, 3.0),
        "shadow_outputs": text("outputs", 2.75, 3.0),
        **facts,
    }
    return Disagreement.objects.create(rollout=of, request_id=name, at=timezone.now(), **kept)


# --- captured ---------------------------------------------------------------------------------------------------------


def test_captured__nothing_yet__teaches_how_to_begin(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    page = read(operator, "/endpoints/shop/captured")
    assert "Nothing is captured now." in page
    assert '{"capture_bp": 100}' in page
    Endpoint.objects.filter(pk=endpoint.pk).update(capture_bp=50)
    page = read(operator, "/endpoints/shop/captured")
    assert "0.5 % of the answers are kept" in page
    assert "curl -X PATCH" not in page


def test_captured__several_versions__newest_first_and_by_version(operator: Client) -> None:
    endpoint, other = make_endpoint("shop"), make_endpoint("other")
    for name, number in (("first", 1), ("second", 2), ("third", 1)):
        record(endpoint, name, number)
    record(other, "elsewhere")
    page = read(operator, "/endpoints/shop/captured")
    assert re.findall(r"<code>(\w+)</code></a></th>", page) == ["third", "second", "first"]
    page = read(operator, "/endpoints/shop/captured?version=2")
    assert re.findall(r"<code>(\w+)</code></a></th>", page) == ["second"]
    assert '<option value="2" selected>v2</option>' in page
    assert "Nothing captured of this version" in read(operator, "/endpoints/shop/captured?version=7")
    for nonsense in ("x", "99999999999999999999", "²"):
        assert read(operator, f"/endpoints/shop/captured?version={nonsense}").count("</code></a></th>") == 3


def test_captured_request__kept__shows_both_sides_and_the_outcome(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    row = record(endpoint, "order-7", unit=-5)
    path = f"/endpoints/shop/captured/{row.pk}"
    page = read(operator, path)
    assert '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1.5]}]}' in page
    assert "<code>2.5</code>" in page
    assert "<code>-5</code>" in page
    assert "not reported yet" in page
    Outcome.objects.create(endpoint=endpoint, request_id="order-7", label=3, record=row, received_at=timezone.now())
    assert "<bdi>3</bdi>" in read(operator, path)


def test_captured_request__without_texts__says_why(operator: Client) -> None:
    row = record(make_endpoint("shop"), "big", inputs="", outputs="")
    assert "What was asked is not kept" in read(operator, f"/endpoints/shop/captured/{row.pk}")


def test_captured_request__of_another_endpoint_or_gone__404(operator: Client) -> None:
    make_endpoint("shop")
    row = record(make_endpoint("other"), "elsewhere")
    for number in (row.pk, 9**9, 10**30):
        assert operator.get(f"/endpoints/shop/captured/{number}").status_code == 404


def test_captured__less_than_an_operator_or_a_stranger__kept_out() -> None:
    row = record(make_endpoint("shop"), "order-7")
    scientist, stranger = signed_in("dora", "data_scientist"), signed_in("sam", "owner", project=make_project("far"))
    for path in ("/endpoints/shop/captured", f"/endpoints/shop/captured/{row.pk}"):
        assert scientist.get(path).status_code == 403
        assert stranger.get(path).status_code == 404
        assert Client().get(path).status_code == 302


def test_captured__hostile_values__stay_text(operator: Client) -> None:
    script = "<script>alert(1)</script>"
    row = record(
        make_endpoint("shop"),
        script,
        prediction=script,
        inputs=text("inputs", script, name=script),
        outputs=text("outputs", script, name=script),
    )
    for path in ("/endpoints/shop/captured", f"/endpoints/shop/captured/{row.pk}"):
        assert script not in operator.get(path).content.decode()


# --- disagreements ----------------------------------------------------------------------------------------------------


def test_disagreements__none__says_whether_anything_was_compared(operator: Client) -> None:
    found = rollout(make_endpoint("shop"))
    path = f"/rollouts/{found.pk}/disagreements"
    assert "No disagreement yet" in read(operator, path)
    split = TrafficSplit.objects.create(endpoint=found.endpoint, revision=99, table=[], rollout=found)
    EvidenceWindow.objects.create(
        process="0" * 32,
        seq=1,
        split=split,
        variant="shadow",
        started_at=timezone.now(),
        ended_at=timezone.now(),
        n=1234,
    )
    page = read(operator, path)
    assert "v2 repeated 1 234 answers of v1 and differed in 0." in page
    assert "They agree" in page


def test_disagreements__of_two_kinds__newest_first_and_by_kind(operator: Client) -> None:
    found = rollout(make_endpoint("shop"))
    disagreement(found, "one")
    disagreement(found, "two", kind="error", max_abs=None)
    path = f"/rollouts/{found.pk}/disagreements"
    names = r"<code>(\w+)</code>"
    assert re.findall(names, read(operator, path)) == ["two", "one"]
    assert re.findall(names, read(operator, f"{path}?kind=error")) == ["two"]
    assert re.findall(names, read(operator, f"{path}?kind=nonsense")) == ["two", "one"]
    assert "No disagreement of this kind" in read(operator, f"{path}?kind=top1")


def test_disagreement__numbers__side_by_side_with_the_difference(operator: Client) -> None:
    found = rollout(make_endpoint("shop"))
    row, newer = disagreement(found, "one"), disagreement(found, "two")
    page = read(operator, f"/rollouts/{found.pk}/disagreements/{row.pk}")
    assert "1 value differs" in page
    assert '<span class="is-failed">+0.25</span>' in page
    assert f'rel="prev" href="/rollouts/{found.pk}/disagreements/{newer.pk}"' in page
    assert 'rel="next"' not in page


def test_disagreement__cut_off_or_failed__shown_as_text(operator: Client) -> None:
    found = rollout(make_endpoint("shop"))
    row = disagreement(found, "one", kind="error", shadow_outputs="The model crashed on these values")
    assert "The model crashed on these values" in read(operator, f"/rollouts/{found.pk}/disagreements/{row.pk}")


def test_disagreement__by_a_viewer__listed_without_the_data() -> None:
    found = rollout(make_endpoint("shop"))
    row = disagreement(found, "one")
    viewer = signed_in("vera", "viewer")
    page = read(viewer, f"/rollouts/{found.pk}/disagreements")
    assert "<code>one</code>" in page
    assert f"/disagreements/{row.pk}" not in page
    assert "it takes the role operator" in page
    assert viewer.get(f"/rollouts/{found.pk}/disagreements/{row.pk}").status_code == 403


def test_disagreement__of_another_rollout__404(operator: Client) -> None:
    found, other = rollout(make_endpoint("shop")), rollout(make_endpoint("other"))
    row = disagreement(other, "one")
    assert operator.get(f"/rollouts/{found.pk}/disagreements/{row.pk}").status_code == 404
    assert operator.get(f"/rollouts/{9**9}/disagreements").status_code == 404
    stranger = signed_in("sam", "owner", project=make_project("far"))
    assert stranger.get(f"/rollouts/{found.pk}/disagreements").status_code == 404


def test_pages__long_lists__a_constant_number_of_queries(operator: Client, django_assert_max_num_queries: Any) -> None:
    endpoint = make_endpoint("shop")
    found = rollout(endpoint)
    for number in range(30):
        record(endpoint, f"r{number}", 1 + number % 2)
        disagreement(found, f"d{number}")
    for path in ("/endpoints/shop/captured", f"/rollouts/{found.pk}/disagreements"):
        with django_assert_max_num_queries(25):
            operator.get(path)
    assert PredictionRecord.objects.filter(at__gt=timezone.now() - timedelta(hours=1)).count() == 30


# --- tensors as rows --------------------------------------------------------------------------------------------------


def test_side_by_side__differing_values__indexed_by_shape() -> None:
    (output,) = side_by_side(text("o", 1.0, 2.0, 3.0, 4.0, shape=[2, 2]), text("o", 1.0, 2.0, 3.5, None, shape=[2, 2]))
    assert (output.n_differ, output.n_hidden) == (2, 0)
    assert output.cells[2:] == [Cell("[1, 0]", "3", "3.5", "+0.5"), Cell("[1, 1]", "4", "not finite", "differs")]
    assert [cell.gap for cell in output.cells[:2]] == ["", ""]


def test_side_by_side__many_values__those_that_differ_are_shown() -> None:
    one = [0.0] * 300
    other = [*one[:-2], 1.0, 2.0]
    (output,) = side_by_side(text("o", *one), text("o", *other))
    assert len(output.cells) == MOST_SHOWN
    assert [cell.place for cell in output.cells[-2:]] == ["[0, 298]", "[0, 299]"]
    assert (output.n_differ, output.n_hidden) == (2, 200)


def test_side_by_side__other_shape_or_output_missing__every_value_stands_there() -> None:
    (output,) = side_by_side(text("o", "a"), text("o", "a", "b"))
    assert output.cells == [Cell("[0, 0]", "a", "a", ""), Cell("[1]", "missing", "b", "differs")]
    (output,) = side_by_side(text("o", 1), text("o", 1, name="other"))
    assert output.cells == [Cell("[0, 0]", "1", "missing", "differs")]


@pytest.mark.parametrize("broken", ["", "The shadow failed", '{"outputs": [{"na …', "[]", "{}", '{"outputs": 7}', "7"])
def test_tensors_of__no_whole_answer__none(broken: str) -> None:
    assert tensors_of(broken) is None
    assert side_by_side(text("o", 1.0), broken) is None
