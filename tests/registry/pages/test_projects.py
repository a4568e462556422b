"""The dialogs that take things away, and the pages of projects, without a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import ModelVersion, Project, RegisteredModel, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db
ACTS = ("archive", "delete")


@pytest.fixture
def owner() -> Client:
    return signed_in("olga", "owner")


def signed_in(name: str, role: str | None = None, **facts: bool) -> Client:
    client = Client()
    client.force_login(factories.make_user(name, role, **facts), "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("act", ACTS)
def test_dialog__of_a_served_version__says_who_serves_it_and_refuses(owner: Client, act: str) -> None:
    factories.make_endpoint("shop")
    path = f"/models/shop/versions/1/{act}"
    shown = owner.get(path).content.decode()
    assert "Endpoint “shop” serves it: promote another version there first" in shown
    refused = owner.post(path, {"reason": "I want it"})
    assert refused.status_code == 409
    body = refused.content.decode()
    assert "Version 1 is in use" in body
    assert "I want it" in body
    assert ModelVersion.objects.get(model__name="shop", number=1).status == VersionStatus.READY


def test_dialogs__archive_restore_delete__go_on_with_303(owner: Client) -> None:
    factories.make_version(factories.make_model("m"))
    for act, status, to in (
        ("archive", "archived", "/models/m/versions/1"),
        ("restore", "ready", "/models/m/versions/1"),
        ("delete", "archived", "/models/m"),
    ):
        assert owner.get(f"/models/m/versions/1/{act}").status_code == 200
        done = owner.post(f"/models/m/versions/1/{act}", {"reason": "a test"})
        assert (done.status_code, done.headers["Location"]) == (303, to)
        assert ModelVersion.objects.get().status == status
    assert owner.get("/models/m/versions/1").status_code == 404
    assert "/models/m/versions/1" not in owner.get("/models/m").content.decode()


def test_dialog__without_a_reason__keeps_everything(owner: Client) -> None:
    factories.make_version(factories.make_model("m"))
    for path in ("/models/m/versions/1/delete", "/models/m/delete"):
        assert owner.post(path, {"reason": ""}).status_code == 400
    assert ModelVersion.objects.get().deleted_at is None


def test_dialog__of_a_model__says_what_goes_and_frees_the_name(owner: Client) -> None:
    model = factories.make_model("m")
    factories.make_version(model, 1.0)
    factories.make_version(model, 2.0)
    assert "2 versions" in owner.get("/models/m/delete").content.decode()
    done = owner.post("/models/m/delete", {"reason": "a test"})
    assert (done.status_code, done.headers["Location"]) == (303, "/models")
    assert owner.get("/models/m").status_code == 404
    assert RegisteredModel.objects.filter(name="m", deleted_at=None).count() == 0


def test_dialogs__for_those_who_may_not__are_refused() -> None:
    factories.make_version(factories.make_model("m"))
    scientist, viewer = signed_in("sue", "data_scientist"), signed_in("bob", "viewer")
    assert scientist.get("/models/m/versions/1/archive").status_code == 200
    assert scientist.get("/models/m/versions/1/delete").status_code == 403
    assert viewer.get("/models/m/versions/1/archive").status_code == 403
    assert signed_in("charlie").get("/models/m/delete").status_code == 404


def test_project__page__shows_settings_members_and_quota(owner: Client) -> None:
    version = factories.make_version(factories.make_model("m"))
    Project.objects.update(quota_bytes=version.size * 2)
    shown = owner.get("/projects/default").content.decode()
    assert "olga" in shown
    assert 'name="quota_bytes"' in shown
    assert "Back office" not in shown
    assert owner.get("/projects").status_code == 200


def test_project__preview__shows_unsaved_rules_and_saves_nothing(owner: Client) -> None:
    factories.make_version(factories.make_model("m"), status=VersionStatus.REJECTED)
    ModelVersion.objects.update(created_at=timezone.now() - timedelta(days=10))
    form = {"signature_policy": "off", "rejected_days": "7", "act": "preview"}
    shown = owner.post("/projects/default", form)
    assert shown.status_code == 200
    assert "Retention: rejected more than 7 days ago." in shown.content.decode()
    assert Project.objects.get().retention == {}
    saved = owner.post("/projects/default", {**form, "act": "save"})
    assert (saved.status_code, saved.headers["Location"]) == (303, "/projects/default")
    assert Project.objects.get().retention == {"rejected_days": 7}
    plain, asked = (owner.get(f"/projects/default{query}").content.decode() for query in ("", "?preview=1"))
    assert 'href="/projects/default?preview=1#preview"' in plain
    said = "Retention: rejected more than 7 days ago."
    assert (said in plain, said in asked) == (False, True)


def test_project__an_owner__cannot_move_the_limits(owner: Client) -> None:
    Project.objects.update(quota_bytes=1_234_567_891)
    saved = owner.post("/projects/default", {"signature_policy": "warn", "quota_bytes": "99", "act": "save"})
    assert saved.status_code == 303
    project = Project.objects.get()
    assert (project.quota_bytes, project.signature_policy) == (1_234_567_891, "warn")


def test_project__a_superuser__sets_limits_in_gigabytes_to_the_byte() -> None:
    factories.make_project()
    root = signed_in("root", is_superuser=True)
    form = {"signature_policy": "off", "quota_bytes": "1.234567891", "max_upload_bytes": "0.5", "act": "save"}
    assert root.post("/projects/default", form).status_code == 303
    project = Project.objects.get()
    assert (project.quota_bytes, project.max_upload_bytes) == (1_234_567_891, 500_000_000)
    assert 'value="1.234567891"' in root.get("/projects/default").content.decode()


@pytest.mark.parametrize("field", ["rejected_days", "unserved_days", "archived_days", "keep_last"])
def test_project__wrong_rules__keep_the_input_and_say_why(owner: Client, field: str) -> None:
    refused = owner.post("/projects/default", {"signature_policy": "off", field: "-5", "act": "save"})
    assert refused.status_code == 400
    assert 'value="-5"' in refused.content.decode()
    assert Project.objects.get().retention == {}


def test_project__a_viewer_or_a_stranger__changes_nothing() -> None:
    factories.make_project()
    viewer = signed_in("bob", "viewer")
    assert "Owners change them." in viewer.get("/projects/default").content.decode()
    assert viewer.post("/projects/default", {"signature_policy": "warn", "act": "save"}).status_code == 403
    assert signed_in("charlie").get("/projects/default").status_code == 404
