"""The page of the serving processes in each of its states, without a browser, and the form that releases."""

from __future__ import annotations

import html
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import Quarantine, RuntimeDeath, ServingProcess
from inference.quarantine.services import quarantine
from inference.selectors.quarantines import is_quarantined
from registry.models import ModelVersion
from tests import factories
from tests.factories import make_endpoint, make_model, make_project, make_user, make_version, split, version_of
from tests.inference.quarantine.killed import kill

pytestmark = pytest.mark.django_db
DIALOG = {"HX-Request": "true", "HX-Target": "dialog-body"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user("olga", "operator"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    return client


def loaded(version: ModelVersion, **facts: Any) -> dict[str, Any]:
    usual = {"memory_bytes": 2_000_000, "runs": 1234, "last_used": None, "isolated": False, "restarts": 0}
    return {"sha256": version.sha256, **usual, **facts}


def process(*sessions: dict[str, Any], lease: float = 60, **facts: Any) -> ServingProcess:
    usual = {"host": "node-1", "pid": 4711, "memory_bytes": 150_000_000}
    bytes_ = sum(row["memory_bytes"] for row in sessions)
    return ServingProcess.objects.create(
        id=uuid.uuid4(),
        lease_expires_at=timezone.now() + timedelta(seconds=lease),
        sessions=list(sessions),
        session_bytes=bytes_,
        **{**usual, **facts},
    )


def text(client: Client, path: str = "/serving") -> str:
    """The page as one reads it: without tags, every run of spaces made one plain space."""
    answer = client.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


# --- states -----------------------------------------------------------------------------------------------------------


def test_page__no_process__teaches_how_to_start(viewer: Client) -> None:
    page = text(viewer)
    assert "No process is serving" in page
    assert "python3 manage.py up" in page


def test_page__nothing_loaded__says_when_it_will_be(viewer: Client) -> None:
    process()
    assert "Nothing is loaded yet" in text(viewer)


def test_page__loaded_in_two_processes__one_row_with_the_sums(viewer: Client) -> None:
    endpoint = split(make_endpoint("shop"), 1_000)
    version = version_of(endpoint, 2)
    process(loaded(version))
    process(loaded(version), pid=4712)
    page = text(viewer)
    assert page.count("shop v2") == 1
    assert "2 of 2" in page
    assert "4.0 MB" in page
    assert "2 468" in page
    assert "10 %" in page


def test_page__one_process_chosen__its_own_numbers(viewer: Client) -> None:
    version = make_version(make_model("alone"))
    process(loaded(version))
    second = process(loaded(version, runs=5, memory_bytes=7_000), pid=4712)
    page = text(viewer, f"/serving?process={second.id}")
    assert "in node-1 · 4712" in page
    assert "7.0 kB 5" in page


def test_page__isolated_and_restarted__says_so(viewer: Client) -> None:
    process(loaded(make_version(make_model()), isolated=True, restarts=3))
    page = text(viewer)
    assert "a process of its own" in page
    assert "3 restarts" in page


def test_page__lease_over__marked(viewer: Client) -> None:
    process(lease=-5)
    page = text(viewer)
    assert "Lease over" in page
    assert "0 of 1" in page


def test_page__search__narrows_and_says_when_nothing_matches(viewer: Client) -> None:
    process(loaded(make_version(make_model("apples"))), loaded(make_version(make_model("pears"), 2.0)))
    page = text(viewer, "/serving?q=APP")
    assert "apples" in page
    assert "pears" not in page
    assert "Nothing loaded matches" in text(viewer, "/serving?q=plums")


def test_page__sort__by_what_was_asked_and_by_name_for_nonsense(viewer: Client) -> None:
    few, many = make_version(make_model("a-few")), make_version(make_model("b-many"), 2.0)
    process(loaded(few, runs=1), loaded(many, runs=9))
    assert "b-many" in text(viewer, "/serving?sort=-runs").partition("a-few")[0]
    assert "a-few" in text(viewer, "/serving?sort=nonsense&page=99&process=nobody").partition("b-many")[0]


def test_page__other_projects__counted_but_not_named(viewer: Client) -> None:
    foreign = make_version(make_model("secret", make_project("other")))
    process(loaded(foreign))
    quarantine(foreign, "a secret")
    page = text(viewer)
    assert "1 of other projects" in page
    assert "secret" not in page


def test_page__names_from_outside__escaped(operator: Client) -> None:
    version = make_version(make_model())
    process(loaded(version), host=HOSTILE)
    kill(version)
    RuntimeDeath.objects.update(host=HOSTILE, signal=HOSTILE[:20])
    Quarantine.objects.update(reason=HOSTILE)
    for path in ("/serving", "/serving/live", f"/models/{version.model.name}/versions/1/release", "/"):
        page = operator.get(path).content.decode()
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


def test_live__asked_for_every_other_second__without_the_frame_and_with_the_filter(viewer: Client) -> None:
    process(loaded(make_version(make_model("pears"))))
    page = viewer.get("/serving/live?q=pea", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert 'hx-get="/serving/live?q=pea"' in page
    assert 'hx-disinherit="*"' in page  # else the links inside would replace the dialog, not fill it
    assert "pears" in page


def test_page__hundred_versions__as_many_queries_as_for_one(viewer: Client, django_assert_max_num_queries: Any) -> None:
    model = make_model()
    process(*(loaded(make_version(model, float(number))) for number in range(1, 101)))
    with django_assert_max_num_queries(14):
        viewer.get("/serving")


# --- quarantined ------------------------------------------------------------------------------------------------------


def test_page__quarantined__why_how_and_the_button_for_operators_only(operator: Client, viewer: Client) -> None:
    endpoint = split(make_endpoint("shop"), 1_000)
    kill(version_of(endpoint, 2))
    for client in (operator, viewer):
        page = text(client)
        assert "shop v2 Quarantined" in page
        assert "2 times within 10 min: crashed (SIGSEGV)" in page
        assert "No endpoint sends it traffic." in page
        assert ("Release…" in page) is (client is operator)


def test_page__nothing_to_fall_back_to__says_where_calls_fail(viewer: Client) -> None:
    kill(version_of(make_endpoint("shop"), 1))
    page = text(viewer)
    assert "those calls are answered 503: shop 100" in page


def test_home__quarantined__needs_the_operator_and_nobody_else(operator: Client, viewer: Client) -> None:
    kill(version_of(split(make_endpoint("shop"), 1_000), 2))
    page = text(operator, "/")
    assert "is quarantined: It killed its process" in page
    assert "gets no traffic" not in page
    assert "quarantined" not in text(viewer, "/")


def test_version_page__quarantined__carries_the_notice(operator: Client) -> None:
    kill(version_of(split(make_endpoint("shop"), 1_000), 2))
    assert "Version 2 is quarantined." in text(operator, "/models/shop/versions/2")
    assert "quarantined" not in text(operator, "/models/shop/versions/1")


def test_endpoint_page__left_the_version__carries_the_notice(viewer: Client) -> None:
    kill(version_of(split(make_endpoint("shop"), 1_000), 2))
    page = text(viewer, "/endpoints/shop")
    assert "Version 2 is quarantined." in page
    assert "It still has traffic here" not in page


def test_endpoint_page__nothing_to_fall_back_to__says_that_calls_fail(viewer: Client) -> None:
    kill(version_of(make_endpoint("shop"), 1))
    assert "Version 1 is quarantined. It still has traffic here" in text(viewer, "/endpoints/shop")


def test_release__form__shows_now_and_after_as_page_and_as_dialog(operator: Client) -> None:
    kill(make_version(make_model("mine")))
    path = "/models/mine/versions/1/release"
    page = text(operator, path)
    assert "No traffic moves by this." in page
    assert page.count("SIGSEGV") == 3
    assert "<html" not in operator.get(path, headers=DIALOG).content.decode()


def test_release__with_a_reason__303_and_free(operator: Client) -> None:
    version = make_version(make_model("mine"))
    kill(version)
    answer = operator.post("/models/mine/versions/1/release", {"reason": "other memory"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/serving")
    assert not is_quarantined(version)
    assert "“mine v1” is released." in text(operator)


def test_release__without_a_reason__keeps_the_form_and_changes_nothing(operator: Client) -> None:
    version = make_version(make_model("mine"))
    kill(version)
    answer = operator.post("/models/mine/versions/1/release", {"reason": " "})
    assert answer.status_code == 400
    assert is_quarantined(version)


def test_release__already_free__says_so(operator: Client) -> None:
    make_version(make_model("mine"))
    assert operator.post("/models/mine/versions/1/release", {"reason": "x"}).status_code == 409
    answer = operator.get("/models/mine/versions/1/release")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/serving")


@pytest.mark.parametrize(("project", "status"), [("default", 403), ("other", 404)])
def test_release__no_right__refused(viewer: Client, project: str, status: int) -> None:
    version = make_version(make_model("mine", factories.make_project(project)))
    kill(version)
    for answer in (viewer.get("/models/mine/versions/1/release"), viewer.post("/models/mine/versions/1/release")):
        assert answer.status_code == status
    assert is_quarantined(version)
