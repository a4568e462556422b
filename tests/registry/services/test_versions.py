"""Numbers without gaps, the same bytes once, and a verdict written once."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, TooLarge, Unavailable
from registry import tasks
from registry.access.principal import SYSTEM
from registry.artifacts.report import Rejection, Report
from registry.models import AuditEvent, ModelVersion, Project, VersionStatus
from registry.services import claims, quotas, versions
from registry.services.artifacts import artifact_store
from registry.services.versions import About, upload_version
from registry.tasks import reconcile_versions, validate_version
from tests import factories, graphs

N_AT_ONCE = 8


@pytest.mark.django_db(transaction=True)
def test_upload__eight_at_once__numbers_without_gaps() -> None:
    model = factories.make_model()
    begin = threading.Barrier(N_AT_ONCE)

    def upload(number: int) -> int:
        begin.wait()
        try:
            return upload_version(SYSTEM, model, [graphs.add_constant(number)]).number
        finally:
            connection.close()

    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        numbers = list(pool.map(upload, range(N_AT_ONCE)))
    assert sorted(numbers) == list(range(1, N_AT_ONCE + 1))
    assert AuditEvent.objects.filter(action="version.uploaded").count() == N_AT_ONCE


@pytest.mark.django_db(transaction=True)
def test_upload__same_bytes_eight_at_once__one_version_and_seven_told_so() -> None:
    model = factories.make_model()
    begin = threading.Barrier(N_AT_ONCE)

    def upload(_: int) -> int | str:
        begin.wait()
        try:
            return upload_version(SYSTEM, model, [graphs.add_constant(1.0)]).number
        except Conflict as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        outcomes = list(pool.map(upload, range(N_AT_ONCE)))
    assert sorted(map(str, outcomes)) == ["1", *["same_bytes"] * (N_AT_ONCE - 1)]
    model.refresh_from_db()
    assert (model.last_number, model.versions.count()) == (1, 1)
    assert upload_version(SYSTEM, model, [graphs.add_constant(2.0)]).number == 2


@pytest.mark.django_db(transaction=True)
def test_upload__at_once_where_one_fits__quota_kept() -> None:
    model, made = factories.make_model(), [graphs.add_constant(number) for number in range(N_AT_ONCE)]
    Project.objects.update(quota_bytes=len(made[0]) * 3 // 2)
    begin = threading.Barrier(N_AT_ONCE)

    def upload(number: int) -> str:
        begin.wait()
        try:
            return str(upload_version(SYSTEM, model, [made[number]]).number)
        except TooLarge as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        outcomes = list(pool.map(upload, range(N_AT_ONCE)))
    assert sorted(outcomes) == ["1", *["over_quota"] * (N_AT_ONCE - 1)]
    assert quotas.kept_bytes(model.project) == len(made[0])


@pytest.mark.django_db
def test_upload__facts__stored_beside_the_bytes() -> None:
    data = graphs.add_constant(3.0)
    version = upload_version(
        SYSTEM,
        factories.make_model(),
        [data[:10], data[10:]],
        About(file_name="../a/b\x07.onnx", tags={"a": "b"}, metrics={"m": 1.5}),
    )
    assert (version.status, version.size, version.file_name) == ("validating", len(data), "b.onnx")
    assert (version.tags, version.metrics) == ({"a": "b"}, {"m": 1.5})
    assert artifact_store().path(version.sha256).read_bytes() == data


@pytest.mark.django_db
def test_upload__refused__no_version_and_no_number_used(settings: object) -> None:
    model, viewer = factories.make_model(), factories.principal("bob", "viewer")
    with pytest.raises(NotAllowed):
        upload_version(viewer, model, [b"x"])
    with pytest.raises(InvalidInput):
        upload_version(SYSTEM, model, [b"x"], About(metrics={"m": float("nan")}))
    settings.PORTAL_MAX_UPLOAD_BYTES = 10  # type: ignore[attr-defined]
    with pytest.raises(TooLarge):
        upload_version(SYSTEM, model, [b"x" * 6, b"x" * 6])
    model.refresh_from_db()
    assert (model.last_number, model.versions.count()) == (0, 0)
    assert not AuditEvent.objects.filter(action="version.uploaded").exists()


@pytest.mark.django_db
def test_upload__rejected_bytes_again__a_new_version() -> None:
    model = factories.make_model()
    factories.make_version(model, status=VersionStatus.REJECTED, data=graphs.add_constant(5.0))
    assert upload_version(SYSTEM, model, [graphs.add_constant(5.0)]).number == 2


@pytest.mark.django_db
def test_validation__doubled_message__claimed_once_and_decided_once() -> None:
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(6.0)])
    claimed = versions.begin_validation(version.pk)
    assert claimed is not None
    assert versions.begin_validation(version.pk) is None
    assert versions.finish_validation(claimed, Report.rejected(Rejection("first", "The first verdict.")))
    assert not versions.finish_validation(claimed, Report.rejected(Rejection("second", "The second verdict.")))
    version.refresh_from_db()
    assert (version.status, version.report["code"]) == ("rejected", "first")
    assert AuditEvent.objects.filter(action="version.rejected").count() == 1


@pytest.mark.django_db
def test_validation__worker_lost__another_takes_it_and_the_late_verdict_does_not_count() -> None:
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(7.0)])
    lost = versions.begin_validation(version.pk)
    assert lost is not None
    assert claims.lost(VersionStatus.VALIDATING) == []
    long_ago = timezone.now() - claims.LOST_AFTER - timedelta(seconds=1)
    ModelVersion.objects.filter(pk=version.pk).update(validation_alive_at=long_ago)
    assert claims.lost(VersionStatus.VALIDATING) == [version.pk]
    second = versions.begin_validation(version.pk)
    assert second is not None
    assert not versions.finish_validation(lost, Report.rejected(Rejection("late", "Too late.")))
    assert versions.finish_validation(second, Report.rejected(Rejection("in_time", "In time.")))


@pytest.mark.django_db
def test_validate_task__good_and_bad_file__ready_with_signature_or_rejected_with_a_sentence() -> None:
    model = factories.make_model()
    good = upload_version(SYSTEM, model, [graphs.add_constant(8.0)])
    bad = upload_version(SYSTEM, model, [b"\x80\x04]\x94."])
    for version in (good, bad):
        validate_version(version.pk)
        validate_version(version.pk, unknown_argument_of_a_newer_sender=1)
        version.refresh_from_db()
    assert (good.status, good.signature) == ("ready", factories.SIGNATURE)
    assert (bad.status, bad.signature) == ("rejected", None)
    assert bad.report["code"]
    assert bad.report["message"].endswith(".")


@pytest.mark.django_db
def test_validate_task__busy_machine__tried_again_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    starved = Report.rejected(Rejection("validation_starved", "Too much else to do."))
    monkeypatch.setattr(tasks, "validate", lambda *_, **__: starved)
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(9.0)])
    statuses = []
    for _ in range(claims.MAX_TRIES):
        ModelVersion.objects.filter(pk=version.pk).update(validation_alive_at=None)
        validate_version(version.pk)
        version.refresh_from_db()
        statuses.append(version.status)
    assert statuses == ["validating", "validating", "rejected"]
    assert version.report["code"] == "validation_starved"


@pytest.mark.django_db
def test_validate_task__three_workers_lost__given_up() -> None:
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(9.0)])
    ModelVersion.objects.filter(pk=version.pk).update(validation_tries=claims.MAX_TRIES)
    validate_version(version.pk)
    version.refresh_from_db()
    assert (version.status, version.report["code"]) == ("rejected", "validation_lost")


@pytest.fixture
def own_store(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    artifact_store.cache_clear()
    yield
    artifact_store.cache_clear()


@pytest.mark.django_db
def test_validate_task__bytes_cannot_be_read_now__no_try_counts(own_store: None, settings: Any) -> None:
    settings.PORTAL_ENCRYPTION_KEY = base64.b64encode(bytes(32)).decode()
    artifact_store.cache_clear()
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(12.0)])
    settings.PORTAL_ENCRYPTION_KEY = ""
    artifact_store.cache_clear()
    for _ in range(claims.MAX_TRIES + 1):
        with pytest.raises(Unavailable) as caught:
            validate_version(version.pk)
        assert caught.value.code == "encryption_key_missing"
        ModelVersion.objects.update(validation_alive_at=timezone.now() - claims.LOST_AFTER)
    version.refresh_from_db()
    assert (version.status, version.validation_tries) == ("validating", 0)


@pytest.mark.django_db
def test_reconcile__nothing_lost__rings_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr("registry.tasks.ring", lambda task, version_id, queue: rung.append(version_id))
    version = upload_version(SYSTEM, factories.make_model(), [graphs.add_constant(11.0)])
    reconcile_versions()
    assert rung == []
    ModelVersion.objects.filter(pk=version.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    reconcile_versions()
    assert rung == [version.pk]


@pytest.mark.django_db
def test_edit__facts_only__bytes_and_verdict_stay() -> None:
    version = factories.make_version(factories.make_model())
    alice = factories.principal("alice", "data_scientist")
    changed = versions.edit_version(alice, version, {"description": "better", "sha256": "0" * 64, "status": "archived"})
    version.refresh_from_db()
    assert (changed.description, version.status) == ("better", "ready")
    assert version.sha256 != "0" * 64
