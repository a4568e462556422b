"""What may be said of a version beside its file, on the page that uploads it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.access.principal import principal_of_user
from registry.artifacts.seals import fingerprint, raw, uploader_message
from registry.models import ModelVersion, RegisteredModel, SigningKey, Upload, User
from registry.services.versions import upload_version
from tests import graphs
from tests.factories import make_model, make_user, make_version
from tests.registry.services.upload_steps import AT_ONCE, at_once

pytestmark = pytest.mark.django_db(transaction=True)

DATA = graphs.add_constant(3.0)
KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def sue() -> User:
    return make_user("sue", "data_scientist")


@pytest.fixture
def scientist(sue: User) -> Client:
    client = Client()
    client.force_login(sue)
    return client


@pytest.fixture
def signing_key(sue: User) -> SigningKey:
    public = raw(KEY.public_key())
    return SigningKey.objects.create(
        user=sue, name="laptop", public_key=base64.b64encode(public).decode(), fingerprint=fingerprint(public)
    )


def send(client: Client, **form: Any) -> Any:
    file = SimpleUploadedFile("m.onnx", DATA, "application/octet-stream")
    return client.post("/models/upload", {"model": "plus", "file": file, **form})


def signature() -> str:
    return base64.b64encode(KEY.sign(uploader_message(hashlib.sha256(DATA).hexdigest()))).decode()


def test_upload__everything_said__kept(scientist: Client) -> None:
    make_version(make_model("plus"))
    manifest = {"inputs": {"x": {"scale": 0.5}}, "labels": {"y": ["a", "b", "c", "d"]}}
    answer = send(
        scientist,
        tags="team = risk\r\nstage = trial",
        metrics="auc = 0.93",
        manifest=json.dumps(manifest),
        parent="1",
        run_name="lr-0.01",
        run_url="https://runs.example.org/9f2c",
        trained_on="claims of March",
        code="https://git.example.org/41ac",
    )
    assert answer.status_code == 303, answer.content.decode()
    version = ModelVersion.objects.get(number=2)
    assert (version.tags, version.metrics) == ({"team": "risk", "stage": "trial"}, {"auc": 0.93})
    assert version.manifest == manifest
    assert version.lineage == {
        "parent": 1,
        "run": {"name": "lr-0.01", "url": "https://runs.example.org/9f2c"},
        "data": "claims of March",
        "code": "https://git.example.org/41ac",
    }


def test_upload__nothing_said__nothing_kept(scientist: Client) -> None:
    assert send(scientist).status_code == 303
    version = ModelVersion.objects.get()
    assert (version.tags, version.metrics, version.manifest, version.lineage) == ({}, {}, {}, {})
    assert "uploader" not in version.seal


def test_upload__in_parts__everything_said_is_kept(scientist: Client) -> None:
    begun = scientist.post("/api/v1/uploads", {"size": len(DATA), "file_name": "m.onnx"}, "application/json").json()
    path = f"/api/v1/uploads/{begun['id']}"
    assert scientist.put(f"{path}/parts/1", DATA, "application/octet-stream").status_code == 200
    assert scientist.post(f"{path}/complete", {}, "application/json").status_code == 200
    form = {"model": "plus", "uploads": begun["id"], "tags": "team = risk", "metrics": "auc = 0.93", "code": "41ac"}
    refused = scientist.post("/models/upload", {**form, "parent": "9"})
    assert (refused.status_code, Upload.objects.get().state) == (400, "complete")
    answer = scientist.post("/models/upload", form)
    assert answer.status_code == 303, answer.content.decode()
    version = ModelVersion.objects.get()
    assert (version.tags, version.metrics, version.lineage) == ({"team": "risk"}, {"auc": 0.93}, {"code": "41ac"})
    assert version.file_name == "m.onnx"


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("tags", "team", "Line 1: type it like"),
        ("metrics", "auc = high", "“auc” has to be a number"),
        ("metrics", "auc = nan", "has to be an object of at most 100 numbers"),
        ("manifest", '{"labels":\n {"y": no}}', "This is not JSON: look at line 2, character 8."),
        ("manifest", "[1]", "has to be a JSON object"),
        ("manifest", "[" * 100_000, "This is not JSON."),
        ("manifest", '{"label": {}}', "it may have labels, inputs, example"),
        ("parent", "7", "This model has no version of that number."),
        ("parent", "first", "Enter a whole number."),
        ("run_url", "javascript:alert(1)", "This has to begin with https:// or http://."),
        ("code", "c" * 2_001, "at most 2000 characters"),
    ],
)
def test_upload__something_wrong__said_beside_the_field_and_nothing_left(
    scientist: Client, field: str, text: str, sentence: str
) -> None:
    answer = send(scientist, **{"description": "kept", field: text})
    assert answer.status_code == 400
    form = answer.context["form"]
    assert sentence in " ".join(form.errors[field])
    page = answer.content.decode()
    assert 'class="more" open' in page
    assert f'id="id_{field}-error"' in page
    assert "kept</textarea>" in page
    assert RegisteredModel.objects.count() == 0


def test_upload__signed__noted_with_the_key(scientist: Client, signing_key: SigningKey) -> None:
    answer = send(scientist, signing_key=signing_key.fingerprint, signature=signature())
    assert answer.status_code == 303, answer.content.decode()
    assert ModelVersion.objects.get().seal["uploader"]["key"] == signing_key.fingerprint


def test_upload__the_line_of_sign_model_pasted__needs_no_key_chosen(scientist: Client, signing_key: SigningKey) -> None:
    line = json.dumps({"key": signing_key.fingerprint, "signature": signature()})
    assert send(scientist, signature=line).status_code == 303
    assert ModelVersion.objects.get().seal["uploader"]["signature"] == signature()


@pytest.mark.parametrize(
    ("chosen", "text", "sentence"),
    [
        (True, base64.b64encode(b"s" * 64).decode(), "The signature does not fit these bytes"),
        (True, "", "Paste the signature that this key made"),
        (False, "c2ln", "You have no signing key with this fingerprint"),
        (False, "{broken", "has to be an object"),
    ],
)
def test_upload__badly_signed__said_beside_the_signature_and_nothing_left(
    scientist: Client, signing_key: SigningKey, chosen: bool, text: str, sentence: str
) -> None:
    answer = send(scientist, signing_key=signing_key.fingerprint if chosen else "", signature=text)
    assert answer.status_code == 400
    assert sentence in " ".join(answer.context["form"].errors["signature"])
    assert RegisteredModel.objects.count() == 0


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800"])
def test_upload__signature_that_cannot_be_stored__said_beside_it(
    scientist: Client, signing_key: SigningKey, bad: str
) -> None:
    for line in (f'{{"key": "{bad}", "signature": "x"}}', f'{{"key": "x", "signature": "{bad}"}}'):
        answer = send(scientist, signature=line)
        assert (answer.status_code, ModelVersion.objects.count()) == (400, 0)


def test_upload__new_models_by_the_page_and_versions_beside_at_once__all_taken(sue: User) -> None:
    """Both lock the project and the record, in the same order."""
    model, principal = make_model("there"), principal_of_user(sue)

    def act(number: int) -> str:
        if number % 2:
            return str(upload_version(principal, model, [graphs.add_constant(50.0 + number)]).status)
        client = Client()
        client.force_login(sue)
        return str(send(client, model=f"new-{number}").status_code)

    assert at_once(act) == ["303", "validating"] * (AT_ONCE // 2)


def test_upload__signature_required__said_beside_the_signature(scientist: Client, signing_key: SigningKey) -> None:
    model = make_model("plus")
    model.project.signature_policy = "require"
    model.project.save()
    answer = send(scientist)
    assert answer.status_code == 400
    assert "takes signed uploads only" in " ".join(answer.context["form"].errors["signature"])


def test_version_page__manifest_that_does_not_fit__says_so(scientist: Client) -> None:
    version = make_version(make_model("plus"))
    ModelVersion.objects.update(manifest={"inputs": {"z": {"scale": 2.0}}, "labels": {"w": ["a"]}})
    page = scientist.get(f"/models/plus/versions/{version.number}").content.decode()
    assert "The manifest does not fit this model." in page
    assert "describes the input &#x27;z&#x27;" in page
    assert "V1, jobs and the form to try it refuse" in page
