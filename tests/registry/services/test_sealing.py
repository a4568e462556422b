from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.test import Client

from portal.lib.errors import InvalidInput, Unavailable
from registry.access.principal import Principal
from registry.artifacts.model_files import Artifact, ModelFile, Subject, bundle_digest, files_as_json
from registry.artifacts.seals import check_seal, fingerprint, raw, uploader_message
from registry.models import AuditEvent, ModelVersion, Project, SigningKey, VersionStatus
from registry.services import keys
from registry.services.archives import artifact_of, subject_of
from registry.services.artifacts import artifact_store, job_store, opened
from registry.services.downloads import download_of
from registry.services.resealing import require_from_now_on
from registry.services.sealing import reseal, said_by_uploader, seal
from registry.services.signing_keys import add_key, revoke_key
from tests import bundles, factories

pytestmark = pytest.mark.django_db
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PUBLIC = raw(PRIVATE.public_key())
DIGEST, OTHER = "a" * 64, "b" * 64
ONE = Subject(1, 1)
OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


@pytest.fixture
def anna() -> Principal:
    return factories.principal("anna", "owner")


@pytest.fixture
def key(anna: Principal) -> SigningKey:
    return add_key(anna, "laptop", base64.b64encode(PUBLIC).decode())


@pytest.fixture
def home(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()
    yield tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()


def signed(sha256: str = DIGEST) -> dict[str, str]:
    made = base64.b64encode(PRIVATE.sign(uploader_message(sha256))).decode()
    return {"key": fingerprint(PUBLIC), "signature": made}


def project(policy: str) -> Project:
    return Project(slug="p", name="P", signature_policy=policy)


def refused(*arguments: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        said_by_uploader(*arguments)
    assert caught.value.status == 400
    return caught.value.code


@pytest.mark.parametrize("policy", ["off", "warn", "require"])
def test_seal__signed_by_its_uploader__noted_whatever_the_policy(anna: Principal, key: SigningKey, policy: str) -> None:
    made = seal(ONE, DIGEST, said_by_uploader(anna, project(policy), DIGEST, signed()))
    check_seal(keys.trusted_keys(), DIGEST, made, ONE)
    assert made["subject"] == {"model": 1, "version": 1}
    assert made["uploader"] == {
        "user": "anna",
        "key": key.fingerprint,
        "public_key": base64.b64encode(PUBLIC).decode(),
        "sha256": DIGEST,
        "signature": signed()["signature"],
    }
    assert "warning" not in made


def test_seal__not_signed__by_the_policy(anna: Principal) -> None:
    assert said_by_uploader(anna, project("off"), DIGEST) == {}
    assert said_by_uploader(anna, project("warn"), DIGEST) == {"warning": "unsigned"}
    assert set(seal(ONE, DIGEST)) == {"subject", "key", "signature", "signed_at"}
    assert seal(ONE, DIGEST, {"warning": "unsigned"})["warning"] == "unsigned"
    assert refused(anna, project("require"), DIGEST) == "signature_required"


@pytest.mark.parametrize("policy", ["off", "require"])
def test_seal__signature_does_not_hold__refused_whatever_the_policy(
    anna: Principal, key: SigningKey, policy: str
) -> None:
    other_digest, other_key = signed(OTHER), {**signed(), "key": "f" * 64}
    for wrong in (other_digest, other_key, {**signed(), "signature": "AAAA"}, {"key": 1}, {}, "x", [1]):
        assert refused(anna, project(policy), DIGEST, wrong) == "signature_invalid"


def test_seal__key_of_somebody_else_or_revoked__refused(anna: Principal, key: SigningKey) -> None:
    assert refused(factories.principal("bert", "owner"), project("off"), DIGEST, signed()) == "signature_invalid"
    revoke_key(anna, key.pk)
    assert refused(anna, project("off"), DIGEST, signed()) == "signature_invalid"


def test_reseal__archive_was_signed__still_noted_with_the_archive_s_digest(anna: Principal, key: SigningKey) -> None:
    made = reseal(seal(ONE, DIGEST, said_by_uploader(anna, project("require"), DIGEST, signed())), ONE, OTHER)
    check_seal(keys.trusted_keys(), OTHER, made, ONE)
    assert made["uploader"]["sha256"] == DIGEST


def test_sign_model__file_and_bundle__what_the_portal_takes(anna: Principal, key: SigningKey, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths = []
    for name, data in (("model.onnx", b"graph"), ("w.bin", b"weights")):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    for files in (paths[:1], paths):
        out = StringIO()
        call_command("sign_model", *map(str, files), "--key", str(pem), stdout=out)
        made = json.loads(out.getvalue())
        said = said_by_uploader(anna, project("require"), digest_of(files), made)
        assert said["uploader"]["user"] == "anna"
    with pytest.raises(CommandError, match=r"Ed25519|PEM"):
        call_command("sign_model", str(paths[0]), "--key", str(paths[0]))


def digest_of(paths: list[Path]) -> str:
    files = [ModelFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size) for path in paths]
    return files[0].sha256 if len(files) == 1 else bundle_digest(files)


def test_api__upload_to_a_project_that_requires_signatures__400_then_202(
    anna: Principal, key: SigningKey, client: Client
) -> None:
    model = factories.make_model("signed")
    Project.objects.filter(pk=model.project_id).update(signature_policy="require")
    user = factories.User.objects.get(username="anna")
    _row, secret = factories.token_for(user)
    headers = {"Authorization": f"Bearer {secret}"}
    data = factories.graphs.add_constant(3.0)

    def send(**form: str) -> Any:
        body = {"file": BytesIO(data), **form}
        return client.post("/api/v1/models/signed/versions", body, headers=headers)

    answer = send()
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "signature_required")
    sha256 = answer.json()["error"]["details"]["sha256"]
    assert ModelVersion.objects.count() == 0
    answer = send(signature=json.dumps(signed(sha256)))
    assert answer.status_code == 202, answer.content
    version = ModelVersion.objects.get()
    assert version.seal["uploader"]["key"] == key.fingerprint
    with opened(artifact_of(version)):
        pass


def test_api__signing_keys__added_listed_revoked_and_the_portal_s_own_shown(client: Client) -> None:
    user = factories.make_user("anna", "viewer")
    _row, secret = factories.token_for(user)
    headers = {"Authorization": f"Bearer {secret}"}
    address, body = "/api/v1/signing-keys", {"name": "laptop", "public_key": base64.b64encode(PUBLIC).decode()}
    made = client.post(address, body, content_type="application/json", headers=headers)
    assert (made.status_code, made.json()["fingerprint"]) == (201, fingerprint(PUBLIC))
    again = client.post(address, body, content_type="application/json", headers=headers)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "key_known")
    bad = client.post(address, {**body, "public_key": "no"}, content_type="application/json", headers=headers)
    assert bad.status_code == 400
    assert [row["name"] for row in client.get(address, headers=headers).json()["results"]] == ["laptop"]
    portal = client.get(f"{address}/portal", headers=headers).json()
    assert [row["is_current"] for row in portal if row["fingerprint"] == keys.signer().fingerprint] == [True]
    assert client.delete(f"{address}/{made.json()['id']}", headers=headers).status_code == 204
    assert SigningKey.objects.get().revoked_at is not None
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"signing_key.added", "signing_key.revoked"}


def test_page__signing_keys__added_and_revoked_by_plain_forms(client: Client) -> None:
    client.force_login(factories.make_user("anna", "viewer"))
    form = {"name": "<b>laptop", "public_key": base64.b64encode(PUBLIC).decode()}
    assert client.post("/signing-keys", form).status_code in (302, 303)
    page = client.get("/signing-keys").content.decode()
    assert "&lt;b&gt;laptop" in page
    assert fingerprint(PUBLIC)[:16] in page
    assert client.post("/signing-keys", {"name": "x", "public_key": "-----BEGIN PRIVATE KEY-----"}).status_code == 400
    key = SigningKey.objects.get()
    assert client.get(f"/signing-keys/{key.pk}/revoke").status_code == 200
    assert client.post(f"/signing-keys/{key.pk}/revoke").status_code in (302, 303)
    assert SigningKey.objects.get().revoked_at is not None


# --- keys of the installation ---


def test_rotate_signing_key__former_seals_stay_good_and_the_file_stays_private(home: Path, settings: Any) -> None:
    settings.PORTAL_SIGNING_KEY, settings.PORTAL_SIGNING_KEY_IS_GIVEN = OLD, False
    artifact = bundles.store_one(b"a model")
    call_command("rotate_signing_key", stdout=StringIO())
    settings.PORTAL_SIGNING_KEY = (home / "signing_key").read_text().strip()
    assert settings.PORTAL_SIGNING_KEY != OLD
    assert {stat.S_IMODE((home / name).stat().st_mode) for name in ("signing_key", "signing_keyring")} == {0o600}
    for each in (artifact, bundles.store_one(b"another")):
        with opened(each):
            pass
    keys.keyring_path().unlink()
    with pytest.raises(Unavailable), opened(artifact):
        pass


def test_rotate_signing_key__key_is_given_by_the_environment__says_what_to_do(home: Path, settings: Any) -> None:
    settings.PORTAL_SIGNING_KEY_IS_GIVEN = True
    with pytest.raises(CommandError, match="PORTAL_TRUSTED_SIGNING_KEYS"):
        call_command("rotate_signing_key")
    assert not (home / "signing_key").exists()


def test_rotate_encryption_key__mixed_store__all_under_the_new_key(home: Path, settings: Any) -> None:
    plain = artifact_store().receive([b"plain"], limit=5).sha256
    use(settings, OLD)
    old, job = artifact_store().receive([b"old"], limit=3).sha256, job_store().receive([b"job"], limit=3).sha256
    use(settings, f"{NEW},{OLD}")
    out = StringIO()
    call_command("rotate_encryption_key", stdout=out)
    assert out.getvalue().strip() == "2 rewrapped, 0 current, 0 encrypted, 1 plain, 0 failed"
    event = AuditEvent.objects.get(action="encryption_key.rotated")
    assert (event.actor_name, event.details) == ("system", {"plain": 1, "rewrapped": 2})
    call_command("rotate_encryption_key", "--encrypt-plain", stdout=StringIO())
    use(settings, NEW)
    assert [artifact_store().open(sha256).read() for sha256 in (plain, old)] == [b"plain", b"old"]
    assert job_store().open(job).read() == b"job"
    use(settings, OLD)
    with pytest.raises(CommandError):
        call_command("rotate_encryption_key", stdout=StringIO(), stderr=StringIO())


def use(settings: Any, text: str) -> None:
    settings.PORTAL_ENCRYPTION_KEY = text
    for store in (artifact_store, job_store):
        store.cache_clear()


def test_seal_versions__from_before__sealed_where_their_bytes_are_proven(home: Path, settings: Any) -> None:
    model = factories.make_model()
    good, bad = factories.make_version(model, 1.0), factories.make_version(model, 2.0)
    artifact_store().path(bad.sha256).write_bytes(b"other")
    with pytest.raises(CommandError, match="1 versions"):
        call_command("seal_versions", stdout=StringIO(), stderr=StringIO())
    good.refresh_from_db()
    bad.refresh_from_db()
    assert bad.seal == {}
    assert not (home / "seals_required").exists()
    settings.PORTAL_REQUIRE_SEALS = True
    assert good.seal["subject"] == {"model": model.pk, "version": good.number}
    with opened(artifact_of(good)):
        pass


def test_seal_versions__none_left__required_from_then_on(home: Path) -> None:
    factories.make_version(factories.make_model(), 1.0)
    assert not require_from_now_on()
    call_command("seal_versions", stdout=StringIO())
    assert (home / "seals_required").exists()


# --- downloads ---


def version_of(artifact: Artifact) -> ModelVersion:
    version = ModelVersion.objects.create(
        model=factories.make_model("big"),
        number=1,
        status=VersionStatus.READY,
        sha256=artifact.sha256,
        files=files_as_json(artifact.files),
        size=1,
    )
    version.seal = seal(subject_of(version), artifact.sha256)
    version.save()
    return version


@pytest.mark.parametrize("key", ["", OLD], ids=["plain", "encrypted"])
def test_download__single_file__its_plain_bytes(home: Path, settings: Any, client: Client, key: str) -> None:
    use(settings, key)
    version_of(bundles.store_one(b"model" * 500_000))
    client.force_login(factories.make_user("anna", "viewer"))
    answer = client.get("/api/v1/models/big/versions/1/download")
    assert answer.headers["Content-Length"] == "2500000"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="big-v1.onnx"'
    assert b"".join(answer.streaming_content) == b"model" * 500_000  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["", OLD], ids=["plain", "encrypted"])
def test_download__bundle__a_zip_of_its_files_in_their_order(home: Path, settings: Any, key: str) -> None:
    use(settings, key)
    files = bundles.linear(np.eye(4, dtype=np.float32), np.ones(4, dtype=np.float32))
    files["big.bin"] = os.urandom(3 << 20)
    artifact = bundles.store(files)
    found = download_of(version_of(artifact))
    assert (found.name, found.content_type, found.size) == ("big-v1.zip", "application/zip", None)
    data = b"".join(found.chunks)
    assert data == b"".join(download_of(ModelVersion.objects.get()).chunks)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert [entry.compress_type for entry in archive.infolist()] == [zipfile.ZIP_STORED] * 4
        assert archive.namelist() == [item.name for item in artifact.files]


def test_download__tampered_with__breaks_off_or_is_refused(home: Path) -> None:
    artifact = bundles.store_one(b"model" * 500_000)
    version = version_of(artifact)
    artifact_store().path(artifact.sha256).write_bytes(b"model" * 499_999 + b"other")
    taken = []
    with pytest.raises(Unavailable):
        taken.extend(download_of(version).chunks)
    assert len(b"".join(taken)) < 2_500_000
    version.seal = {**version.seal, "signed_at": "x"}
    with pytest.raises(Unavailable) as caught:
        download_of(version)
    assert caught.value.code == "artifact_tampered"
