"""Trying a version from its page: the form that the signature makes, and what comes back."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from registry.models import ModelVersion, VersionStatus
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


def test_version__that_is_not_ready__cannot_be_tried(person: Client) -> None:
    make_version(make_model("broken"), status=VersionStatus.REJECTED)
    assert person.get("/models/broken/versions/1/try").status_code == 409


def test_version__of_a_foreign_project__is_as_if_missing(path: str) -> None:
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert stranger.post(path, {}).status_code == 404
