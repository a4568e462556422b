"""Home: one's own uploads and what became of them."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.home import MOST_ROWS
from registry import selectors
from registry.access.principal import principal_of_user
from registry.models import ModelVersion, User, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dora() -> User:
    return factories.make_user("dora", "data_scientist")


def of(user: User, model: str, status: str = "ready", **facts: object) -> ModelVersion:
    version = factories.make_version(factories.make_model(model), status=VersionStatus(status))
    ModelVersion.objects.filter(pk=version.pk).update(created_by=user, **facts)
    return version


def mine(user: User) -> str:
    client = Client()
    client.force_login(user)
    page = client.get("/").content.decode()
    found = re.search(r'<section class="panel" id="mine".*?</section>', page, re.DOTALL)
    return found.group() if found else ""


def test_mine__three_states__each_with_its_word_and_newest_first(dora: User) -> None:
    of(dora, "good", file_name="<i>a.onnx")
    of(dora, "bad", "rejected", report={"code": "broken", "message": "It is a text. Upload another."})
    of(dora, "waiting", "validating")
    of(factories.make_user("eve", "data_scientist"), "of-eve")
    shown = mine(dora)
    assert re.findall(r"<bdi>([\w-]+)</bdi> v1", shown) == ["waiting", "bad", "good"]
    assert [word in shown for word in ("Validating", "Rejected", "Ready")] == [True] * 3
    assert "<bdi>It is a text.</bdi>" in shown
    assert "&lt;i&gt;a.onnx" in shown
    assert "of-eve" not in shown


def test_mine__all_decided__asks_no_more(dora: User) -> None:
    version = of(dora, "m", "validating")
    assert "every 3s" in mine(dora)
    ModelVersion.objects.filter(pk=version.pk).update(status="ready")
    assert "every 3s" not in mine(dora)


def test_mine__nothing_uploaded__is_left_out(dora: User) -> None:
    assert mine(dora) == ""


def test_recent_versions__deleted_ones_or_strangers_projects__not_among_them(dora: User) -> None:
    of(dora, "gone", deleted_at=timezone.now())
    elsewhere = factories.make_version(factories.make_model("else", factories.make_project("other")))
    ModelVersion.objects.filter(pk=elsewhere.pk).update(created_by=dora)
    kept = of(dora, "kept")
    assert selectors.recent_versions(principal_of_user(dora), 6) == [kept]


def test_recent_versions__many__as_few_as_asked_for_in_one_query(dora: User) -> None:
    for number in range(MOST_ROWS + 2):
        of(dora, f"m-{number}")
    who = principal_of_user(dora)
    with CaptureQueriesContext(connection) as queries:
        names = [str(version) for version in selectors.recent_versions(who, MOST_ROWS)]
    assert names == [f"m-{number} v1" for number in range(MOST_ROWS + 1, 1, -1)]
    assert len(queries) == 1
