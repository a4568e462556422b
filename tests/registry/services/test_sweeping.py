"""Bytes without a row, and rows without bytes."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from registry.access.principal import SYSTEM
from registry.artifacts.model_files import ModelFile, bundle_digest, files_as_json
from registry.models import AuditEvent, LoggedFile, ModelVersion, Upload, UploadState, VersionStatus
from registry.services.artifacts import artifact_store
from registry.services.deletion import delete_model, delete_version
from registry.services.sweeping import freed_by, last_missing, sweep
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, settings: Any) -> Any:
    """A folder of its own, so that every file in it is of this test."""
    settings.DATA_DIR = tmp_path
    artifact_store.cache_clear()
    yield artifact_store()
    artifact_store.cache_clear()


def stored(data: bytes) -> str:
    return artifact_store().receive([data], limit=1000).sha256


def test_sweep__deleted_version__its_bytes_go_and_the_others_stay() -> None:
    model = factories.make_model("m")
    gone, kept = factories.make_version(model, 1.0), factories.make_version(model, 2.0)
    assert sweep(grace_seconds=0).orphans == []
    delete_version(SYSTEM, gone, reason="a test")
    found = sweep(grace_seconds=0)
    assert [(blob.sha256, blob.size) for blob in found.orphans] == [(gone.sha256, gone.size)]
    assert (artifact_store().exists(gone.sha256), artifact_store().exists(kept.sha256)) == (False, True)
    assert AuditEvent.objects.get(action="store.swept").details == {
        "n_freed": 1,
        "freed_bytes": gone.size,
        "n_missing": 0,
        "missing": [],
    }


def test_sweep__deleted_model__all_of_its_bytes_go() -> None:
    version = factories.make_version(factories.make_model("m"))
    delete_model(SYSTEM, version.model)
    assert len(sweep(grace_seconds=0).orphans) == 1
    assert list((artifact_store().root / "sha256").glob("*/*")) == []


def test_sweep__bytes_shared_with_a_living_version__stay() -> None:
    gone = factories.make_version(factories.make_model("m"))
    factories.make_version(factories.make_model("n"))
    delete_version(SYSTEM, gone, reason="a test")
    assert sweep(grace_seconds=0).orphans == []
    assert artifact_store().exists(gone.sha256)


def test_sweep__within_the_grace_or_as_a_dry_run__nothing_is_removed() -> None:
    orphan = stored(b"nobody's")
    young = sweep()
    assert (young.orphans, young.n_young) == ([], 1)
    dry = sweep(dry_run=True, grace_seconds=0)
    assert [blob.sha256 for blob in dry.orphans] == [orphan]
    assert artifact_store().exists(orphan)
    assert not AuditEvent.objects.exists()


def test_sweep__what_uploads_logged_files_and_bundles_refer_to__stays() -> None:
    project, model = factories.make_project(), factories.make_model("m")
    waiting, used, logged = stored(b"waiting"), stored(b"used"), stored(b"logged")
    facts = {"project": project, "size": 7, "part_size": 7}
    Upload.objects.create(state=UploadState.COMPLETE, digest=waiting, **facts)
    Upload.objects.create(state=UploadState.USED, digest=used, **facts)
    LoggedFile.objects.create(project=project, path="1/x", sha256=logged, size=6)
    files = (ModelFile("model.onnx", stored(b"graph"), 5), ModelFile("weights.bin", stored(b"weights"), 7))
    bundle = ModelVersion.objects.create(
        model=model, number=1, sha256=bundle_digest(files), size=12, files=files_as_json(files), status="ready"
    )
    found = sweep(grace_seconds=0)
    assert ([blob.sha256 for blob in found.orphans], found.missing) == ([used], [])
    assert all(artifact_store().exists(sha256) for sha256 in (waiting, logged, *(item.sha256 for item in files)))
    delete_version(SYSTEM, bundle, reason="a test")
    assert {blob.sha256 for blob in sweep(grace_seconds=0).orphans} == {item.sha256 for item in files}


def test_sweep__row_without_bytes__is_reported_once_and_again_when_mended() -> None:
    version = factories.make_version(factories.make_model("m"))
    data = artifact_store().open(version.sha256).read()
    artifact_store().delete(version.sha256)
    for _ in range(2):
        (missing,) = sweep(grace_seconds=0).missing
        assert (missing.kind, missing.name, missing.sha256) == ("version", "m v1", version.sha256)
    assert AuditEvent.objects.filter(action="store.swept").count() == 1
    project = version.model.project_id
    assert [row["name"] for row in last_missing(project)] == ["m v1"]
    assert last_missing(project + 1) == []
    artifact_store().receive([data], limit=len(data))
    assert sweep(grace_seconds=0).missing == []
    assert last_missing(project) == []


def test_sweep__version_deleted_with_its_bytes_gone_already__is_not_missing() -> None:
    version = factories.make_version(factories.make_model("m"), status=VersionStatus.REJECTED)
    artifact_store().delete(version.sha256)
    delete_version(SYSTEM, version, reason="a test")
    assert sweep(grace_seconds=0).missing == []


def test_sweep__copies_that_load_faster__go_with_their_original(tmp_path: Path) -> None:
    version = factories.make_version(factories.make_model("m"))
    folder = tmp_path / "cache" / "optimized"
    folder.mkdir(parents=True)
    copy, other = folder / f"{version.sha256}-0123.onnx", folder / f"{'0' * 64}-0123.onnx"
    copy.write_bytes(b"x")
    other.write_bytes(b"x")
    delete_version(SYSTEM, version, reason="a test")
    sweep(grace_seconds=0)
    assert (copy.exists(), other.exists()) == (False, True)


def test_freed_by__only_what_nothing_else_refers_to() -> None:
    model, other, project = factories.make_model("m"), factories.make_model("n"), factories.make_project()
    own, twin = factories.make_version(model, 1.0), factories.make_version(model, 2.0)
    factories.make_version(other, 2.0)
    files = tuple(ModelFile(name, stored(name.encode()), len(name)) for name in ("g.onnx", "w", "up", "log"))
    bundles = [
        ModelVersion.objects.create(
            model=kept, number=9, sha256=bundle_digest(chosen), size=1, files=files_as_json(chosen), status="ready"
        )
        for kept, chosen in ((model, files), (other, (files[0], ModelFile("w2", files[1].sha256, 1))))
    ]
    assert freed_by([]) == 0
    assert freed_by([own]) == own.size
    assert freed_by([own, twin]) == own.size
    assert freed_by([bundles[0]]) == len("up") + len("log")
    Upload.objects.create(project=project, state=UploadState.COMPLETE, digest=files[2].sha256, size=2, part_size=2)
    LoggedFile.objects.create(project=project, path="1/x", sha256=files[3].sha256, size=3)
    assert freed_by([bundles[0]]) == 0
    assert freed_by([own, *bundles]) == own.size + len("g.onnx") + 1
    delete_version(SYSTEM, bundles[1], reason="a test")
    assert freed_by([bundles[0]]) == len("g.onnx") + len("w")


def test_command__says_what_it_found_and_did() -> None:
    orphan, version = stored(b"nobody's"), factories.make_version(factories.make_model("m"))
    artifact_store().delete(version.sha256)
    out = StringIO()
    call_command("sweep_artifacts", "--dry-run", "--grace", "0", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["orphan", orphan], ["missing", version.sha256]]
    assert "1 orphans" in lines[-1]
    assert "would be freed" in lines[-1]
    call_command("sweep_artifacts", "--grace", "0", stdout=StringIO())
    assert not artifact_store().exists(orphan)
