"""The registry's pages, without a browser."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import ApiToken, ModelAlias, ModelVersion, RegisteredModel, VersionStatus
from registry.pages.validation import steps_of
from tests import graphs
from tests.factories import make_model, make_user, make_version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scientist() -> Client:
    client = Client()
    client.force_login(make_user("sue", "data_scientist"))
    return client


def onnx(name: str = "m.onnx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, graphs.add_constant(1.0), "application/octet-stream")


def test_pages__without_a_session__lead_to_the_sign_in() -> None:
    answer = Client().get("/models?q=x")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=/models%3Fq%3Dx")


def test_upload__of_a_new_name__makes_the_model_and_its_first_version(scientist: Client) -> None:
    answer = scientist.post("/models/upload", {"model": "fresh", "file": onnx(), "description": "first"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/models/fresh/versions/1")
    version = ModelVersion.objects.get()
    assert (version.model.name, version.number, version.description) == ("fresh", 1, "first")


def test_upload__by_the_pages_script__is_told_the_address_in_a_header(scientist: Client) -> None:
    form = {"model": "fresh", "file": onnx()}
    answer = scientist.post("/models/upload", form, headers={"X-Requested-With": "XMLHttpRequest"})
    assert (answer.status_code, answer.headers["X-Location"]) == (200, "/models/fresh/versions/1")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../etc/passwd", "letters, digits, dots"),
        ("<b>bold</b>", "letters, digits, dots"),
        ("upload", "This name is reserved"),
        ("", "This field is required"),
    ],
)
def test_upload__under_a_bad_name__keeps_the_input_and_leaves_nothing(
    scientist: Client, name: str, sentence: str
) -> None:
    answer = scientist.post("/models/upload", {"model": name, "file": onnx(), "description": "kept"})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert "kept</textarea>" in answer.content.decode()
    assert RegisteredModel.objects.count() == 0


def test_upload__by_a_viewer__is_refused_and_leaves_nothing() -> None:
    make_model("plus")
    viewer = Client()
    viewer.force_login(make_user("vera", "viewer"))
    assert viewer.post("/models/upload", {"model": "plus", "file": onnx()}).status_code == 403
    assert ModelVersion.objects.count() == 0


def test_models__search_and_order__stand_in_the_address(scientist: Client) -> None:
    for name in ("alpha", "beta", "alphabet"):
        make_model(name)
    page = scientist.get("/models?q=alpha&sort=-name").content.decode()
    assert page.index(">alphabet<") < page.index(">alpha<")
    assert ">beta<" not in page
    assert 'aria-sort="descending"' in page


@pytest.mark.parametrize("query", ["sort=password", "page=0", "page=999", "page=x", "q=%00"])
def test_models__a_query_that_makes_no_sense__is_answered_all_the_same(scientist: Client, query: str) -> None:
    make_model("alpha")
    assert scientist.get(f"/models?{query}").status_code == 200


def test_name_and_description_with_markup__are_shown_as_text(scientist: Client) -> None:
    model = make_model("alpha")
    RegisteredModel.objects.filter(pk=model.pk).update(description="<script>alert(1)</script>")
    for path in ("/models", "/models/alpha", "/"):
        page = scientist.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_alias__set_and_removed_on_the_page__moves(scientist: Client) -> None:
    model = make_model("alpha")
    make_version(model, 1.0)
    make_version(model, 2.0)
    for number in (1, 2):
        assert scientist.post(f"/models/alpha/versions/{number}/aliases", {"alias": "champion"}).status_code == 303
    assert list(ModelAlias.objects.values_list("name", "version__number")) == [("champion", 2)]
    assert scientist.post("/models/alpha/versions/2/aliases", {"alias": "v3"}).status_code == 400
    assert scientist.post("/models/alpha/versions/2/aliases/champion/delete").status_code == 303
    assert ModelAlias.objects.count() == 0


def test_token__made_on_the_page__shows_its_secret_once_and_is_not_stored_by_the_browser(scientist: Client) -> None:
    answer = scientist.post("/tokens", {"name": "robot", "scopes": ["read"], "days": "30"})
    secret = answer.content.decode().partition('<code id="secret">')[2].partition("<")[0]
    assert secret.startswith("swy_")
    assert answer.headers["Cache-Control"] == "no-store"
    token = ApiToken.objects.get()
    assert (token.name, token.scopes) == ("robot", ["read"])
    assert secret not in scientist.get("/tokens").content.decode()
    assert scientist.post(f"/tokens/{token.pk}/revoke").status_code == 303
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_token__without_a_scope__keeps_the_name_and_makes_none(scientist: Client) -> None:
    answer = scientist.post("/tokens", {"name": "robot", "days": "30"})
    assert answer.status_code == 400
    assert 'value="robot"' in answer.content.decode()
    assert ApiToken.objects.count() == 0


def test_token__of_somebody_else__can_not_be_revoked(scientist: Client) -> None:
    other = Client()
    other.force_login(make_user("otto", "owner"))
    other.post("/tokens", {"name": "robot", "scopes": ["read"], "days": "30"})
    token = ApiToken.objects.get()
    assert scientist.post(f"/tokens/{token.pk}/revoke").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_audit__filtered_by_object__leaves_only_its_events() -> None:
    owner = Client()
    owner.force_login(make_user("oscar", "owner"))
    owner.post("/models/upload", {"model": "fresh", "file": onnx()})
    owner.post("/models/upload", {"model": "other", "file": onnx()})
    page = owner.get("/audit?object=fresh&action=model.created").content.decode()
    assert ">fresh<" in page
    assert ">other<" not in page
    assert 'href="/models/fresh"' in page


def test_steps__while_validation_runs__show_what_has_begun() -> None:
    version = make_version(make_model(), status=VersionStatus.VALIDATING)
    assert [step.state for step in steps_of(version)] == ["done", "waiting", "waiting", "waiting", "waiting"]
    version.steps = [
        {"name": "lint", "at": "2026-01-01T00:00:00+00:00"},
        {"name": "checker", "at": "2026-01-01T00:00:02+00:00"},
    ]
    steps = steps_of(version)
    assert [step.state for step in steps] == ["done", "done", "now", "waiting", "waiting"]
    assert steps[1].seconds == 2.0


def test_steps__refused_at_first_sight__fail_at_the_first_step() -> None:
    version = make_version(make_model(), status=VersionStatus.REJECTED)
    assert [step.state for step in steps_of(version)] == ["done", "failed", "waiting", "waiting", "waiting"]


def test_theme__of_the_cookie__is_rendered_and_a_foreign_return_address_is_not_followed(scientist: Client) -> None:
    answer = scientist.post("/theme", {"theme": "dark", "next": "https://evil.example/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert 'data-theme="dark"' in scientist.get("/models").content.decode()
    scientist.post("/theme", {"theme": '"><script>'})
    assert 'data-theme="dark"' in scientist.get("/models").content.decode()
