"""The tabs of a model, and the forms that describe it and its versions."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.models import AuditEvent, ModelAlias, ModelVersion, RegisteredModel
from registry.pages.describe_forms import ModelForm, VersionForm
from tests import factories
from tests.factories import make_endpoint, make_model, make_user, make_version, version_of

pytestmark = pytest.mark.django_db(transaction=True)
NASTY = "<img src=x onerror=alert(1)> \u202eevil " + "w" * 60


@pytest.fixture
def scientist() -> Client:
    client = Client()
    client.force_login(make_user("sue", "data_scientist"))
    return client


def words(html: str) -> str:
    """What stands in <main>, without tags and with single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<main")[2]).split())


# --- list -----------------------------------------------------------------------------------------------------------


def test_models__a_search_that_makes_no_sense__says_so_beside_the_kept_input(scientist: Client) -> None:
    make_model("alpha")
    answer = scientist.get("/models", {"q": "colour:red"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "nothing to search for by “colour:”" in page
    assert 'value="colour:red"' in page
    assert ">alpha<" not in page


def test_models__found_more_than_are_counted__says_more_than(
    scientist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.pages.selectors_pages.MOST_FOUND", 2)
    for name in ("alpha-1", "alpha-2", "alpha-3"):
        make_model(name)
    assert "of more than 2" in words(scientist.get("/models?q=alpha").content.decode())
    assert "1–1 of 1" in words(scientist.get("/models?q=alpha-1").content.decode())
    assert "1–3 of 3" in words(scientist.get("/models").content.decode())


def test_model__one_version_deleted__is_not_counted(scientist: Client) -> None:
    model = make_model("alpha")
    make_version(model, 1.0)
    gone = make_version(model, 2.0)
    RegisteredModel.objects.filter(pk=model.pk).update(last_number=2)
    ModelVersion.objects.filter(pk=gone.pk).update(deleted_at="2026-01-01T00:00Z")
    assert "1 version · 1 ready" in words(scientist.get("/models/alpha").content.decode())


# --- card and forms -------------------------------------------------------------------------------------------------


def test_card__markdown__is_rendered_and_its_script_is_text(scientist: Client) -> None:
    make_model("alpha")
    text = "# Hello\n\n<script>alert(1)</script> [x](javascript:alert(1))"
    answer = scientist.post("/models/alpha/edit", {"description": text, "tags": "team = risk"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/models/alpha")
    page = scientist.get("/models/alpha").content.decode()
    assert "<h3>Hello</h3>" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert 'href="/models?q=tag%3A%22team%22%3D%22risk%22"' in page
    assert AuditEvent.objects.filter(action="model.edited").count() == 1


def test_card__preview__shows_it_and_saves_nothing(scientist: Client) -> None:
    make_model("alpha")
    answer = scientist.post("/models/alpha/edit", {"description": "# Soon", "tags": "a = b", "preview": "1"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<h3>Soon</h3>" in page
    assert "# Soon</textarea>" in page
    assert "a = b</textarea>" in page
    assert RegisteredModel.objects.get().description == ""


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("team", "Line 1: type it like “team = risk”."),
        ("ok = 1\n= x", "Line 2: type it like “team = risk”."),
        ("a = 1\na = 2", "“a” stands there twice."),
        ("k" * 251 + " = x", "at most 100 texts"),
    ],
)
def test_tags__typed_wrong__are_kept_with_the_reason(scientist: Client, typed: str, sentence: str) -> None:
    make_model("alpha")
    answer = scientist.post("/models/alpha/edit", {"description": "", "tags": typed})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert f"{typed}</textarea>" in page.replace("\r\n", "\n")
    assert RegisteredModel.objects.get().tags == {}


def test_tags__opened_and_saved_without_a_change__stay_as_they_were() -> None:
    tags = {"a": "b = c", "a=b": "c\\nd", "c\\": "two\nlines\r", "k": "", "größe": "\u2028x", "quote": '"'}
    model = RegisteredModel(tags=tags, description="x")
    typed = ModelForm.of(model, None)["tags"].value()
    form = ModelForm.of(model, {"description": "x", "tags": typed.replace("\n", "\r\n")})
    assert form.is_valid()
    assert form.changes()["tags"] == {**tags, "größe": "x"}  # space around a value is not kept


def test_version__described_on_its_page__keeps_numbers_exact(scientist: Client) -> None:
    version = make_version(make_model("alpha"))
    ModelVersion.objects.filter(pk=version.pk).update(metrics={"auc": 0.1 + 0.2, "n": 1e-300})
    version.refresh_from_db()
    typed = VersionForm.of(version, None)["metrics"].value()
    form = {"description": "better", "tags": "framework = torch", "metrics": typed + "\nloss = -1"}
    assert scientist.post("/models/alpha/versions/1/edit", form).status_code == 303
    version.refresh_from_db()
    assert version.metrics == {"auc": 0.1 + 0.2, "n": 1e-300, "loss": -1.0}
    assert (version.description, version.tags) == ("better", {"framework": "torch"})
    refused = scientist.post("/models/alpha/versions/1/edit", {**form, "metrics": "auc = high"})
    assert refused.status_code == 400
    assert "“auc” has to be a number such as 0.97." in refused.content.decode()
    assert scientist.post("/models/alpha/versions/1/edit", {**form, "metrics": "auc = nan"}).status_code == 400


def test_description__by_a_viewer__is_refused() -> None:
    make_version(make_model("alpha"))
    viewer = Client()
    viewer.force_login(make_user("vera", "viewer"))
    for path in ("/models/alpha/edit", "/models/alpha/versions/1/edit"):
        assert viewer.post(path, {"description": "x"}).status_code == 403
    assert RegisteredModel.objects.get().description == ""
    assert "/models/alpha/edit" not in viewer.get("/models/alpha").content.decode()


# --- compare --------------------------------------------------------------------------------------------------------


@pytest.fixture
def three() -> RegisteredModel:
    model = make_model("alpha")
    for number in (1, 2, 3):
        version = make_version(model, float(number))
        facts = {"metrics": {"auc": 0.9 + number / 100, "same": 1}, "tags": {"seed": str(number), "os": "linux"}}
        ModelVersion.objects.filter(pk=version.pk).update(**facts)
    changed = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 4]}], "outputs": []}
    ModelVersion.objects.filter(number=3).update(signature=changed)
    return model


@pytest.mark.parametrize(
    ("query", "before", "after"),
    [
        ("", 2, 3),
        ("a=3&b=1", 3, 1),
        ("v=1&v=3", 1, 3),
        ("v=3&v=2&v=1", 2, 3),
        ("v=2", 1, 2),
        ("v=1", 1, 2),
        ("a=x&b=2", 2, 3),
    ],
)
def test_compare__versions__are_those_that_the_address_says(
    scientist: Client, three: RegisteredModel, query: str, before: int, after: int
) -> None:
    answer = scientist.get(f"/models/alpha/compare?{query}")
    assert (answer.status_code, answer.context["a"].number, answer.context["b"].number) == (200, before, after)


def test_compare__only_differences__leaves_out_what_is_the_same(scientist: Client, three: RegisteredModel) -> None:
    every = words(scientist.get("/models/alpha/compare?a=1&b=3").content.decode())
    some = words(scientist.get("/models/alpha/compare?a=1&b=3&only=differences").content.decode())
    assert "linux" in every
    assert "linux" not in some
    assert "auc 0.91 0.93 +0.02" in every
    assert "auc 0.91 0.93 +0.02" in some
    assert "lines that are the same are hidden" in some
    assert "Breaks callers" in some
    assert "The input “x” is FP64, no longer FP32." in some


def test_compare__a_version_that_is_not_there__is_404(scientist: Client, three: RegisteredModel) -> None:
    assert scientist.get("/models/alpha/compare?a=1&b=9").status_code == 404
    assert scientist.get("/models/alpha/compare?a=1&b=9999999999").status_code == 404


def test_compare__one_version_alone__says_what_is_missing(scientist: Client) -> None:
    make_version(make_model("alone"))
    assert "needs a second version" in words(scientist.get("/models/alone/compare").content.decode())


# --- lineage, endpoints, activity -------------------------------------------------------------------------------------


def test_lineage__parents_runs_and_data__are_shown_and_only_addresses_link(
    scientist: Client, three: RegisteredModel
) -> None:
    said = {
        "parent": 2,
        "run": {"id": "9f2c", "name": "lr", "url": "https://t.example.org/9f2c"},
        "data": "javascript:alert(1)",
        "code": NASTY,
    }
    ModelVersion.objects.filter(number=3).update(lineage=said)
    page = scientist.get("/models/alpha/lineage").content.decode()
    assert "made from v2" in words(page)
    assert "led to v3" in words(page)
    assert 'href="https://t.example.org/9f2c" rel="nofollow noopener noreferrer ugc"' in page
    assert 'href="javascript' not in page
    assert "<img src=x" not in page
    assert page.count('<circle class="tip"') == 2
    assert page.count('<circle class="knot"') == 1


def test_endpoints__what_was_live_when__is_drawn_and_told_in_a_table(scientist: Client) -> None:
    endpoint = make_endpoint("iris", n_versions=2)
    factories.split(endpoint, 2_500)
    page = scientist.get("/models/iris/endpoints").content.decode()
    assert re.findall(r'aria-label="(v\d: live \d times?, now [^"]*)"', page) == [
        "v2: live 1 times, now 25\N{NARROW NO-BREAK SPACE}%",
        "v1: live 2 times, now 75\N{NARROW NO-BREAK SPACE}%",
    ]
    assert page.count('class="arm-fill-canary"') >= 1
    assert "What was live when" in page
    assert page.count("<q>") == 0
    assert "Split changed system a test" in words(page)


def test_endpoints__history__is_read_once(scientist: Client) -> None:
    make_endpoint("iris")
    with CaptureQueriesContext(connection) as asked:
        assert "Promoted" in words(scientist.get("/models/iris/endpoints").content.decode())
    assert sum('FROM "inference_splitactivation"' in query["sql"] for query in asked.captured_queries) == 1


def test_endpoints__of_somebody_elses_project__are_not_there(scientist: Client) -> None:
    make_endpoint("theirs", project=factories.make_project("elsewhere"))
    assert scientist.get("/models/theirs/endpoints").status_code == 404
    assert scientist.get("/models/theirs/activity").status_code == 404


def test_activity__acts_on_the_model_its_versions_aliases_and_endpoints__are_told_to_a_viewer(
    scientist: Client,
) -> None:
    endpoint = make_endpoint("iris", n_versions=2)
    scientist.post("/models/iris/edit", {"description": "x", "tags": ""})
    for number in (1, 2):
        scientist.post(f"/models/iris/versions/{number}/aliases", {"alias": "champion"})
    factories.split(endpoint, 2_500)
    make_endpoint("other")
    viewer = Client()
    viewer.force_login(make_user("vera", "viewer"))
    told = words(viewer.get("/models/iris/activity").content.decode())
    parts = [
        "system split the traffic: v1 75 %, v2 25 % · iris a test",
        "sue moved from v1 to v2 the alias champion",
        "sue gave v1 the alias champion",
        "sue edited its card or tags",
        "system sent all traffic to v1 · iris",
        "system made an endpoint · iris",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert "other" not in told


def test_activity__of_a_namesake_that_was_deleted__is_not_told(scientist: Client) -> None:
    model = make_model("iris")
    make_version(model)
    scientist.post("/models/iris/versions/1/aliases", {"alias": "old"})
    RegisteredModel.objects.filter(pk=model.pk).update(deleted_at="2026-01-01T00:00Z")
    make_model("iris")
    assert "Nothing happened yet" in words(scientist.get("/models/iris/activity").content.decode())


def test_every_tab__with_hostile_names__shows_them_as_text(scientist: Client) -> None:
    name = "n" + "o" * 126 + "t"
    endpoint = make_endpoint("plain", n_versions=2)
    model = endpoint.model
    tags = {NASTY: NASTY, "a=b": '"'}
    RegisteredModel.objects.filter(pk=model.pk).update(name=name, description=NASTY, tags=tags)
    for number in (1, 2):
        facts = {"description": NASTY, "file_name": NASTY, "metrics": {NASTY: 1e300 * number / 2}, "tags": tags}
        facts["lineage"] = {"run": {"name": NASTY}, "data": NASTY}
        version = version_of(endpoint, number)
        facts["signature"] = {"inputs": [{"name": NASTY, "datatype": "FP32", "shape": [number]}], "outputs": []}
        ModelVersion.objects.filter(pk=version.pk).update(**facts)
    ModelAlias.objects.create(model=model, name="a" * 64, version=version)
    for tab in ("", "/compare", "/lineage", "/endpoints", "/activity", "/edit", "/versions/2/edit"):
        answer = scientist.get(f"/models/{name}{tab}")
        assert answer.status_code == 200, tab
        assert "<img src=x" not in answer.content.decode(), tab
        assert " style=" not in answer.content.decode(), tab
