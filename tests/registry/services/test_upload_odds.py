"""What people do to an upload while it runs: nothing half-written, the right status, one plain sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM
from registry.models import ModelVersion, Project, RegisteredModel, Upload, UploadState
from registry.services import quotas, sweeping
from registry.services.artifacts import artifact_store
from registry.services.deletion import delete_model, delete_version
from registry.services.upload_versions import NamedUpload, version_of_uploads
from registry.services.uploads import abort, complete
from registry.services.versions import About, upload_version
from registry.upload_selectors import my_upload, my_uploads
from tests import factories, graphs
from tests.registry.services.upload_steps import (
    AT_ONCE,
    DATA,
    at_once,
    finished,
    in_threads,
    put,
    refused,
    sha,
    started,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stray_files")]
MODEL = graphs.add_constant(1.0)


def use(upload: Upload, model: RegisteredModel) -> ModelVersion:
    return version_of_uploads(SYSTEM, model, [NamedUpload("", upload.pk)], About())


def sentence(act: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(PortalError) as caught:
        act()
    return caught.value.status, caught.value.code, caught.value.message


def test_quota__lowered_while_parts_come__told_at_the_version_and_the_upload_is_kept() -> None:
    model, upload = factories.make_model(), started(MODEL)
    Project.objects.update(quota_bytes=len(MODEL) - 1)
    put(upload, 1, MODEL)
    assert complete(SYSTEM, upload).state == UploadState.COMPLETE
    status, code, said = sentence(lambda: use(upload, model))
    assert (status, code) == (413, "over_quota")
    assert said.endswith("delete what nobody needs, or ask an administrator for a larger quota.")
    assert (Upload.objects.get().state, ModelVersion.objects.count()) == (UploadState.COMPLETE, 0)
    Project.objects.update(quota_bytes=len(MODEL))
    assert use(upload, model).number == 1


def test_project__renamed_while_parts_come__upload_goes_on_under_the_new_name() -> None:
    anna = factories.principal("anna", "data_scientist")
    model, upload = factories.make_model(), started(MODEL, anna)
    Project.objects.update(slug="renamed")
    put(upload, 1, MODEL, who=anna)
    complete(anna, my_upload(anna, upload.pk))
    assert [item.project.slug for item in my_uploads(anna)] == ["renamed"]
    assert use(upload, model).size == len(MODEL)


def test_model__deleted_before_its_version_is_made__404_and_the_upload_is_kept() -> None:
    model, upload = factories.make_model("m"), finished(MODEL)
    delete_model(SYSTEM, model)
    assert sentence(lambda: use(upload, model)) == (404, "not_found", "There is no model “m”.")
    assert (Upload.objects.get().state, ModelVersion.objects.count()) == (UploadState.COMPLETE, 0)
    assert use(upload, factories.make_model("m")).number == 1


@in_threads
def test_model__deleted_while_versions_are_made__none_is_left_in_it() -> None:
    model = factories.make_model("m")

    def act(number: int) -> object:
        if number == 0:
            return delete_model(SYSTEM, model)
        return upload_version(SYSTEM, model, [graphs.add_constant(float(number))]).status

    answers = at_once(act)
    assert set(answers) <= {"None", "validating", "not_found"}
    assert not ModelVersion.objects.filter(deleted_at=None).exists()
    assert quotas.kept_bytes(model.project) == 0


def test_version__of_an_upload_is_deleted__asked_again_says_so() -> None:
    model, upload = factories.make_model(), finished(MODEL)
    delete_version(SYSTEM, use(upload, model), reason="a test")
    assert sentence(lambda: use(upload, model)) == (
        409,
        "upload_used",
        "A version was made of this upload, and it is deleted: upload the file again.",
    )


@in_threads
def test_abort__while_versions_are_made_of_it__either_or() -> None:
    model, upload = factories.make_model(), finished(MODEL)
    answers = at_once(
        lambda number: abort(SYSTEM, Upload.objects.get(pk=upload.pk)) if number % 2 else use(upload, model).number
    )
    state = Upload.objects.get().state
    made = ModelVersion.objects.count()
    assert (state, made) in ((UploadState.USED, 1), (UploadState.ABORTED, 0))
    assert set(answers) <= {"None", "1", "upload_closed", "upload_used", "not_found"}


@in_threads
def test_same_bytes__of_two_uploads_for_one_model_at_once__one_version_and_the_rest_told() -> None:
    model, made = factories.make_model(), [finished(MODEL) for _ in range(AT_ONCE)]
    answers = at_once(lambda number: use(made[number], model).number)
    assert sorted(answers) == ["1", *["same_bytes"] * (AT_ONCE - 1)]
    states = sorted(str(upload.state) for upload in Upload.objects.all())
    assert states == [*["complete"] * (AT_ONCE - 1), "used"]


def test_complete__of_the_bytes_of_an_orphan__the_sweep_leaves_them() -> None:
    """An old blob that nobody refers to becomes young by its new use."""
    blob = artifact_store().receive([DATA], limit=len(DATA))
    assert finished().digest == blob.sha256 == sha(DATA)
    assert time.time() - artifact_store().path(blob.sha256).stat().st_ctime < sweeping.GRACE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_sweep__an_old_upload_becomes_a_version_between_two_questions__its_bytes_stay() -> None:
    model, upload = factories.make_model(), finished(MODEL)
    asked: list[str] = []

    def between(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        answer = execute(sql, *args)
        if not asked and sql.lstrip().startswith(("SELECT", "DECLARE")):
            asked.append(sql)
            use(upload, model)
        return answer

    with connection.execute_wrapper(between):
        found = sweeping.digests_referenced()
    assert (len(asked), ModelVersion.objects.count()) == (1, 1)
    assert upload.digest in found


def test_version__of_bytes_that_the_sweep_took__404_and_nothing_made() -> None:
    model, upload = factories.make_model(), finished(MODEL)
    os.unlink(artifact_store().path(upload.digest))
    status, code, _said = sentence(lambda: use(upload, model))
    assert (status, code) == (404, "artifact_missing")
    assert (Upload.objects.get().state, ModelVersion.objects.count()) == (UploadState.COMPLETE, 0)


def test_member__put_out_of_the_project_while_parts_come__404() -> None:
    anna = factories.principal("anna", "data_scientist")
    upload = started(MODEL, anna)
    stranger = factories.principal("sam")
    assert refused(lambda: my_upload(stranger, upload.pk)) == "not_found"
    assert refused(lambda: put(upload, 1, MODEL, who=stranger)) in ("not_allowed", "not_found")
