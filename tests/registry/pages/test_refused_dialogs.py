"""The dialogs that take a version away: where refusal is certain they say why and cannot be sent."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from registry.models import ModelVersion, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
DISABLED = 'disabled aria-describedby="refused"'


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(factories.make_user("oscar", "owner"))
    return client


def read(client: Client, path: str) -> str:
    return str(client.get(path).content.decode())


@pytest.mark.parametrize("path", ["/models/shop/versions/1/archive", "/models/shop/versions/1/delete"])
def test_version__served__named_once_and_cannot_be_sent(owner: Client, path: str) -> None:
    factories.make_endpoint("shop")
    page = read(owner, path)
    assert DISABLED in page
    assert 'name="reason"' not in page
    assert re.findall(r"<li><bdi>(Endpoint[^<]*)</bdi></li>", page) == [
        "Endpoint “shop” serves it: promote another version there first"
    ]


def test_model__served__its_endpoint_is_named_once(owner: Client) -> None:
    factories.make_endpoint("shop")
    page = read(owner, "/models/shop/delete")
    assert DISABLED in page
    assert re.findall(r"<li><bdi>(Endpoint[^<]*)</bdi></li>", page) == [
        "Endpoint “shop” is its address: delete the endpoint first"
    ]


@pytest.mark.parametrize(
    ("act", "status", "why"),
    [
        ("archive", "rejected", "Version 1 is rejected: only a ready version can be archived; delete it instead."),
        ("archive", "archived", "Version 1 is archived: only a ready version can be archived; delete it instead."),
        ("restore", "ready", "Version 1 is ready: only an archived version can be restored."),
    ],
)
def test_version__in_another_state__the_sentence_of_the_refusal(owner: Client, act: str, status: str, why: str) -> None:
    factories.make_version(factories.make_model("m"), status=VersionStatus(status))
    page = read(owner, f"/models/m/versions/1/{act}")
    assert why in page
    assert DISABLED in page


@pytest.mark.parametrize("act", ["archive", "delete"])
def test_version__free__can_be_sent(owner: Client, act: str) -> None:
    factories.make_version(factories.make_model("m"))
    page = read(owner, f"/models/m/versions/1/{act}")
    assert DISABLED not in page
    assert 'name="reason"' in page


def test_version__refused_after_sending__can_be_sent_again(owner: Client) -> None:
    factories.make_endpoint("shop")
    answer = owner.post("/models/shop/versions/1/archive", {"reason": "old"})
    assert answer.status_code == 409
    assert DISABLED not in answer.content.decode()


@pytest.mark.parametrize(("status", "word"), [("rejected", "rejected"), ("archived", "archived")])
def test_version_page__takes_no_traffic__promote_stands_there_with_the_reason(
    owner: Client, status: str, word: str
) -> None:
    endpoint = factories.make_endpoint("shop")
    ModelVersion.objects.filter(pk=factories.version_of(endpoint, 2).pk).update(status=status)
    page = read(owner, "/models/shop/versions/2")
    assert f'<span id="no-traffic">Version 2 is {word}: only a ready version can take traffic.</span>' in page
    assert re.search(r'<button type="button" class="button" disabled aria-describedby="no-traffic">', page)
    assert "promote?version=2" not in page
