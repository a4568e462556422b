"""An archive becomes a bundle or is rejected; whatever dies on the way, it ends in one of the two."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.lib.errors import Unavailable
from registry.access.principal import SYSTEM
from registry.artifacts.model_files import bundle_digest, files_from_json
from registry.models import AuditEvent, ModelVersion, Project, VersionStatus
from registry.services import claims, unpacking
from registry.services.artifacts import artifact_store
from registry.services.versions import About, upload_version
from registry.tasks import unpack_version, validate_version
from tests import archives, factories, graphs
from tests.registry.services.upload_steps import AT_ONCE, at_once, no_file_beyond

pytestmark = pytest.mark.django_db(transaction=True)


def upload(data: bytes, model: Any = None) -> ModelVersion:
    return upload_version(SYSTEM, model or factories.make_model(), [data], About("bundle.zip"))


def finished(version: ModelVersion) -> ModelVersion:
    unpack_version(version.pk)
    validate_version(version.pk)
    return ModelVersion.objects.get(pk=version.pk)


def test_upload__archive__received_and_not_yet_validated() -> None:
    version = upload(archives.zipped(archives.bundle()))
    assert version.status == VersionStatus.RECEIVING
    validate_version(version.pk)
    assert ModelVersion.objects.get(pk=version.pk).status == VersionStatus.RECEIVING


@pytest.mark.parametrize("pack", [archives.zipped, archives.tarred])
def test_unpack_version__good_archive__ready_as_a_bundle(pack: Any) -> None:
    data = pack({**archives.bundle(), "notes.txt": b"seen by nobody"})
    uploaded = upload(data)
    version = finished(uploaded)
    assert version.status == VersionStatus.READY, version.report
    files = files_from_json(version.files)
    assert [(item.name, artifact_store().open(item.sha256).read()) for item in files] == list(archives.bundle().items())
    assert version.sha256 == bundle_digest(files)
    assert version.size == sum(item.size for item in files)
    assert version.report["facts"]["archive"] == {"sha256": uploaded.sha256, "size": len(data), "n_left_out": 1}
    assert [warning["code"] for warning in version.report["warnings"]] == ["files_left_out"]
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["version.uploaded", "version.unpacked", "version.ready"]


def test_unpack_version__one_model_in_an_archive__version_of_one_file() -> None:
    model = factories.make_model()
    version = finished(upload(archives.zipped({"model.onnx": graphs.add_constant()}), model))
    assert (version.status, version.files) == (VersionStatus.READY, [])
    assert artifact_store().open(version.sha256).read() == graphs.add_constant()


def test_unpack_version__same_files_in_another_archive__rejected_with_the_number() -> None:
    model = factories.make_model()
    finished(upload(archives.zipped(archives.bundle()), model))
    archive = archives.tarred(archives.bundle())
    again = finished(upload(archive, model))
    assert (again.status, again.report["code"]) == (VersionStatus.REJECTED, "same_bytes")
    assert "version 1" in again.report["message"]
    # The rejected one keeps the digest of its archive, so it stands in nobody's way.
    assert again.sha256 == hashlib.sha256(archive).hexdigest()


def test_unpack_version__hostile_archive__rejected_with_its_sentence() -> None:
    version = finished(upload(archives.zipped({**archives.bundle(), "../evil": b"x"})))
    assert (version.status, version.report["code"]) == (VersionStatus.REJECTED, "unsafe_path")
    assert version.report["steps"] == [{"name": "unpack", "status": "failed", "seconds": 0.0}]
    assert AuditEvent.objects.filter(action="version.rejected").get().details == {"code": "unsafe_path"}


def test_unpack_version__larger_than_the_quota_unpacked__rejected() -> None:
    model = factories.make_model()
    model.project.quota_bytes = 4_000
    model.project.save()
    many = archives.reference(dims=(4_000,), length=16_000)
    node = archives.adds(many)
    version = finished(upload(archives.zipped({"model.onnx": node, "weights.bin": bytes(16_000)}), model))
    assert (version.status, version.report["code"]) == (VersionStatus.REJECTED, "over_quota")


def test_unpack_version__message_twice__once() -> None:
    version = upload(archives.zipped(archives.bundle()))
    unpack_version(version.pk)
    unpack_version(version.pk)
    assert AuditEvent.objects.filter(action="version.unpacked").count() == 1


def test_lost__worker_died__found_and_claimed_again() -> None:
    version = upload(archives.zipped(archives.bundle()))
    first = unpacking.begin_unpacking(version.pk)
    assert first is not None
    assert unpacking.begin_unpacking(version.pk) is None
    assert claims.lost(VersionStatus.RECEIVING) == []
    ModelVersion.objects.update(validation_alive_at=timezone.now() - timedelta(seconds=30))
    assert claims.lost(VersionStatus.RECEIVING) == [version.pk]
    second = unpacking.begin_unpacking(version.pk)
    assert second is not None
    assert not unpacking.finish_unpacking(first, unpacking.unpack_archive(first))
    assert unpacking.finish_unpacking(second, unpacking.unpack_archive(second))


def test_unpack_version__three_dead_workers__rejected() -> None:
    version = upload(archives.zipped(archives.bundle()))
    ModelVersion.objects.update(validation_tries=3)
    assert finished(version).report["code"] == "unpacking_lost"


def test_unpack_version__bytes_gone__rejected() -> None:
    version = upload(archives.zipped(archives.bundle()))
    artifact_store().delete(version.sha256)
    assert finished(version).report["code"] == "artifact_missing"


def test_unpack_version__bytes_changed_in_the_store__rejected_once() -> None:
    version = upload(archives.zipped(archives.bundle()))
    path = artifact_store().path(version.sha256)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert finished(version).report["code"] == "artifact_tampered"
    assert claims.lost(VersionStatus.RECEIVING) == []


def test_unpack_version__no_room_on_the_disk__goes_on_when_there_is_and_no_try_counts() -> None:
    data = archives.zipped({"model.onnx": archives.adds(), "weights.bin": archives.WEIGHTS * 1_000})
    finished(upload(archives.zipped(archives.bundle())))
    version = upload(data)
    for _ in range(claims.MAX_TRIES + 1):
        with no_file_beyond(8_000), pytest.raises(Unavailable) as caught:
            unpack_version(version.pk)
        assert caught.value.code == "storage_full"
        assert unpacking.begin_unpacking(version.pk) is None
        ModelVersion.objects.update(validation_alive_at=timezone.now() - claims.LOST_AFTER)
    assert ModelVersion.objects.get(pk=version.pk).validation_tries == 0
    assert finished(version).status == VersionStatus.READY


def test_unpack_version__more_than_a_file_of_the_project_may_have__rejected() -> None:
    model = factories.make_model()
    data = archives.zipped({"model.onnx": archives.adds(), "weights.bin": bytes(50_000)})
    assert len(data) < 40_000
    model.project.max_upload_bytes = 40_000
    model.project.save()
    version = finished(upload(data, model))
    assert (version.status, version.report["code"]) == (VersionStatus.REJECTED, "archive_too_large")


def test_finish_unpacking__at_once_where_one_fits__one_goes_on() -> None:
    model = factories.make_model()
    made = [
        upload(archives.zipped({"model.onnx": archives.adds(), "weights.bin": bytes([number]) * 10_000}), model)
        for number in range(AT_ONCE)
    ]
    runs = [unpacking.begin_unpacking(version.pk) for version in made]
    unpacked = [unpacking.unpack_archive(run) for run in runs if run]
    Project.objects.update(quota_bytes=sum(version.size for version in made) + 12_000)
    at_once(lambda number: unpacking.finish_unpacking(runs[number], unpacked[number]) if runs[number] else None)
    codes = [version.report.get("code", "taken") for version in ModelVersion.objects.all()]
    assert sorted(codes) == [*["over_quota"] * (AT_ONCE - 1), "taken"]
