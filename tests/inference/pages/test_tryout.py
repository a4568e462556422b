"""Trying a version from its page: the form that the signature makes, and what comes back."""

from __future__ import annotations

import base64
import json
import re

import pytest
from django.test import Client

from inference.pages.try_form import AnyText
from inference.pages.try_result import _bars
from registry.artifacts.manifest import check_manifest
from registry.models import ModelVersion, VersionStatus
from tests import graphs
from tests.factories import make_model, make_user, make_version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def person() -> Client:
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    return client


@pytest.fixture
def path() -> str:
    model = make_model("plus")
    make_version(model, 10.0)
    return "/models/plus/versions/1/try"


def test_form__from_the_signature__has_a_number_field_per_value(person: Client, path: str) -> None:
    page = person.get(path).content.decode()
    assert [f'name="0.{index}"' in page for index in range(5)] == [True, True, True, True, False]


def test_form__with_numbers__shows_the_models_answer(person: Client, path: str) -> None:
    answer = person.post(path, {f"0.{index}": index for index in range(4)})
    assert answer.status_code == 200
    for value in ("10", "11", "12", "13"):
        assert f'<span class="num">{value}</span>' in answer.content.decode().replace(" strong", "")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"0.0": "1", "0.1": "2", "0.2": "three", "0.3": "4"}, "Enter a number"),
        ({"0.0": "1"}, "This field is required"),
        ({"body": "{"}, "JSON"),
        ({"body": json.dumps({"inputs": []})}, "also needs input"),
    ],
)
def test_form__with_nonsense__keeps_it_and_says_what_is_wrong(
    person: Client, path: str, form: dict[str, str], sentence: str
) -> None:
    answer = person.post(path, form)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_names_in_tags__label_the_fields_and_the_bars(person: Client, path: str) -> None:
    tags = {"features": "a,b,c,d", "classes": "w,x,y,<z>", "example": "[1, 2, 3, 4]"}
    ModelVersion.objects.update(tags=tags)
    page = person.get(path).content.decode()
    assert 'value="4"' in page
    assert ">d</label>" in page
    answer = person.post(path, {f"0.{index}": index for index in range(4)}).content.decode()
    assert "&lt;z&gt;" in answer


X = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [X]},
        {"inputs": [X], "parameters": {"note": "instances"}, "id": '"instances"'},
        {"instances": [[1, 2, 3, 4]]},
        {"instances": [{"x": [1, 2, 3, 4]}]},
        {"inputs": [[1, 2, 3, 4]]},
        {"inputs": {"x": [[1, 2, 3, 4]]}},
    ],
)
def test_body__of_either_protocol__read_by_what_it_is(person: Client, path: str, body: dict[str, object]) -> None:
    answer = person.post(path, {"body": json.dumps(body)})
    assert answers(answer.content.decode()) == ["11", "12", "13", "14"]


def test_version__that_is_not_ready__cannot_be_tried(person: Client) -> None:
    make_version(make_model("broken"), status=VersionStatus.REJECTED)
    assert person.get("/models/broken/versions/1/try").status_code == 409


def test_version__of_a_foreign_project__is_as_if_missing(path: str) -> None:
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert stranger.post(path, {}).status_code == 404


IMAGE = {"inputs": {"x": {"image": {"layout": "NCHW"}, "scale": 0.5}}, "labels": {"y": ["dark", "bright"]}}


@pytest.fixture
def pictures() -> str:
    """x [n, 3, 1, 2] + 10, whose answer has six values, as version 1."""
    contract = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3, 1, 2]}],
    }
    make_version(make_model("pictures"), data=graphs.add_constant(10.0, ("N", 3, 1, 2)))
    ModelVersion.objects.update(signature=contract, manifest=check_manifest(IMAGE))
    return "/models/pictures/versions/1/try"


def answers(page: str) -> list[str]:
    return re.findall(r'<span class="num[^"]*">([^<]*)</span>', page)


def test_manifest__names_and_example__label_the_fields_and_the_bars(person: Client, path: str) -> None:
    manifest = {
        "inputs": {"x": {"features": ["a", "b", "c", "<d>"]}},
        "labels": {"y": ["w", "x", "y", "<z>"]},
        "example": {"x": [1, 2, 3, 4.5]},
    }
    ModelVersion.objects.update(manifest=manifest)
    page = person.get(path).content.decode()
    assert 'value="4.5"' in page
    assert ">&lt;d&gt;</label>" in page
    answer = person.post(path, {f"0.{index}": index for index in range(4)}).content.decode()
    assert "<bdi>&lt;z&gt;</bdi></span>" in answer


def test_manifest__scaling__applied_to_the_form_and_not_to_a_v2_body(person: Client, path: str) -> None:
    ModelVersion.objects.update(manifest={"inputs": {"x": {"scale": 0.5}}})
    form = person.post(path, {f"0.{index}": 2 for index in range(4)})
    assert answers(form.content.decode()) == ["11"] * 4
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [2] * 4}
    pasted = person.post(path, {"body": json.dumps({"inputs": [tensor]})})
    assert answers(pasted.content.decode()) == ["12"] * 4


def test_manifest__scaling__applied_to_a_v1_body(person: Client, path: str) -> None:
    ModelVersion.objects.update(manifest={"inputs": {"x": {"scale": 0.5}}})
    pasted = person.post(path, {"body": json.dumps({"instances": [[2, 4, 6, 8]]})})
    assert answers(pasted.content.decode()) == ["11", "12", "13", "14"]


def test_manifest__that_does_not_fit__said_on_the_form_and_refused(person: Client, path: str) -> None:
    ModelVersion.objects.update(manifest={"inputs": {"x": {"mean": [1.0]}}})
    assert "mean has 1 numbers where 4 would fit" in person.get(path).content.decode()
    answer = person.post(path, {f"0.{index}": 2 for index in range(4)})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "pixels", [base64.b64encode(bytes([2, 4, 6, 8, 10, 12])).decode(), "[[[2, 4, 6], [8, 10, 12]]]"]
)
def test_picture__as_pixels__laid_out_and_scaled(person: Client, pictures: str, pixels: str) -> None:
    answer = person.post(pictures, {"0.pixels": pixels})
    assert answers(answer.content.decode()) == ["11", "14", "12", "15", "13", "16"]


@pytest.mark.parametrize(
    ("pixels", "status", "sentence"),
    [
        ("", 400, "Choose a picture first"),
        ("not base64!", 400, "neither base64 nor a JSON list"),
        ("[" * 5000, 400, "neither base64 nor a JSON list"),
        (base64.b64encode(b"123").decode(), 400, "2 x 1 pixels of 3 bytes"),
        ("[1, 2]", 400, "takes 6 values, 2 were sent"),
        ("[[[256, 0, 0], [0, 0, 0]]]", 400, "which UINT8 cannot hold"),
    ],
)
def test_picture__that_is_none__keeps_it_and_says_what_is_wrong(
    person: Client, pictures: str, pixels: str, status: int, sentence: str
) -> None:
    answer = person.post(pictures, {"0.pixels": pixels})
    assert answer.status_code == status
    assert sentence in answer.content.decode()


def test_answer__more_classes_than_bars__the_largest_by_name(person: Client) -> None:
    make_version(make_model("many"), data=graphs.add_constant(0.0, ("N", 100)))
    spec = {"datatype": "FP32", "shape": [-1, 100]}
    contract = {"inputs": [{"name": "x", **spec}], "outputs": [{"name": "y", **spec}]}
    ModelVersion.objects.update(signature=contract, manifest={"labels": {"y": [f"class {n}" for n in range(100)]}})
    page = person.post("/models/many/versions/1/try", {"0.json": json.dumps(list(range(100)))}).content.decode()
    assert answers(page) == [str(number) for number in range(99, 89, -1)]
    assert "class 99" in page
    assert "and 90 smaller ones" in page


@pytest.mark.parametrize(
    ("data", "winner"),
    [([0.2, 0.5, 0.3], "b"), ([0.4, 0.2, 0.4], "a"), ([0.5, 0.5, 0.5], None)],
    ids=["one", "two alike", "all alike"],
)
def test_bars__only_one_wins(data: list[float], winner: str | None) -> None:
    bars, n_more = _bars("scores", data, ("a", "b", "c"))
    assert ([name for name, _value, is_top in bars if is_top], n_more) == ([winner] if winner else [], 0)


def test_text_input__empty_and_with_spaces__sent_as_it_is() -> None:
    field = AnyText(strip=False)
    assert [field.clean(text) for text in ("", "  two words ")] == ["", "  two words "]
