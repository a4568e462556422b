"""Uploads in parts as a whole: begun, complete, given up, swept; lies refused, and nothing left behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, TooLarge, Unavailable
from portal.lib.errors import Unprocessable as Unfit
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion, Project, Upload, UploadPart
from registry.services import quotas, uploads
from registry.services.artifacts import artifact_store
from registry.services.upload_versions import NamedUpload, version_of_uploads
from registry.services.uploads import Wish, abort, begin, complete, file_of, sweep_abandoned
from registry.services.versions import About
from registry.upload_selectors import my_upload
from tests import factories, graphs
from tests.registry.services.upload_steps import (
    AT_ONCE,
    DATA,
    PART,
    at_once,
    finished,
    in_threads,
    piece,
    put,
    refused,
    sha,
    started,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stray_files")]


def test_upload__parts_in_any_order__whole_file_under_its_digest() -> None:
    upload = started()
    assert (upload.part_size, uploads.n_parts(upload), file_of(upload).path.stat().st_size) == (PART, 4, len(DATA))
    assert file_of(upload).path.stat().st_blocks == 0
    for number in (4, 2, 1, 3):
        row = put(upload, number)
        assert (row.number, row.sha256, row.size) == (number, sha(piece(number)), len(piece(number)))
    done = complete(SYSTEM, upload)
    assert (done.state, done.digest) == ("complete", sha(DATA))
    assert artifact_store().path(sha(DATA)).read_bytes() == DATA
    assert not file_of(upload).path.exists()
    actions = AuditEvent.objects.filter(object_id=str(upload.pk)).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["upload.begun", "upload.completed"]


def test_complete__with_holes__names_them() -> None:
    upload = started()
    put(upload, 2)
    with pytest.raises(Conflict) as caught:
        complete(SYSTEM, upload)
    assert (caught.value.code, caught.value.details["missing"]) == ("parts_missing", [1, 3, 4])
    assert (caught.value.details["n_missing"], Upload.objects.get().state) == (3, "open")
    for number in (1, 4):
        put(upload, number)
    with pytest.raises(Conflict) as caught:
        complete(SYSTEM, upload)
    assert caught.value.message == "Part 3 is missing: send it, then complete again."


@in_threads
def test_complete__at_once__one_file_and_one_event() -> None:
    upload = started()
    for number in (1, 2, 3, 4):
        put(upload, number)
    answers = at_once(lambda _number: complete(SYSTEM, Upload.objects.get(pk=upload.pk)).digest)
    assert answers == [sha(DATA)] * AT_ONCE
    assert AuditEvent.objects.filter(action="upload.completed").count() == 1
    assert artifact_store().path(sha(DATA)).read_bytes() == DATA


@in_threads
def test_complete__two_uploads_of_the_same_bytes_at_once__both_have_them() -> None:
    made = [started() for _ in range(AT_ONCE)]
    for upload in made:
        for number in (1, 2, 3, 4):
            put(upload, number)
    answers = at_once(lambda number: complete(SYSTEM, made[number]).digest)
    assert answers == [sha(DATA)] * AT_ONCE
    assert artifact_store().path(sha(DATA)).read_bytes() == DATA
    assert [file_of(upload).path.exists() for upload in made] == [False] * AT_ONCE


def test_complete__again__same_answer_also_after_use() -> None:
    upload = finished(graphs.add_constant(1.0))
    digest = upload.digest
    assert complete(SYSTEM, upload, digest).digest == digest
    version_of_uploads(SYSTEM, factories.make_model(), [NamedUpload("", upload.pk)], About())
    upload.refresh_from_db()
    assert (complete(SYSTEM, upload).digest, upload.state) == (digest, "used")


@pytest.mark.parametrize("when", ["at the beginning", "at the end"])
def test_complete__lying_digest__refused_and_mended(when: str) -> None:
    upload = started(sha256="0" * 64) if when == "at the beginning" else started()
    for number in (1, 2, 3, 4):
        put(upload, number)
    with pytest.raises(Unfit) as caught:
        complete(SYSTEM, upload, "" if when == "at the beginning" else "0" * 64)
    assert caught.value.details == {"sha256": sha(DATA), "announced": "0" * 64}
    assert (Upload.objects.get().state, file_of(upload).path.exists()) == ("open", True)
    assert complete(SYSTEM, upload, sha(DATA)).state == "complete"


def test_complete__file_gone__says_so() -> None:
    upload = started()
    for number in (1, 2, 3, 4):
        put(upload, number)
    file_of(upload).discard()
    assert refused(lambda: complete(SYSTEM, upload)) == "upload_gone"


@pytest.mark.parametrize(
    "wish",
    [
        Wish(0),
        Wish(-1),
        Wish(10, part_size=PART - 1),
        Wish(10, part_size=uploads.MAX_PART_BYTES + 1),
        Wish(4 << 30, part_size=PART),
        Wish(10, sha256="short"),
        Wish(10, sha256="A" * 64),
    ],
)
def test_begin__wrong_wish__refused_and_no_row(wish: Wish) -> None:
    with pytest.raises(InvalidInput):
        begin(SYSTEM, factories.make_project(), wish)
    assert Upload.objects.count() == 0


def test_begin__no_part_size__thirty_two_megabytes_or_what_keeps_the_parts_few(settings: Any, tmp_path: Path) -> None:
    settings.PORTAL_MAX_UPLOAD_BYTES = 2**50
    assert uploads._part_size(Wish(1)) == 32 << 20
    assert uploads._part_size(Wish(5 << 30)) == 32 << 20
    size = 300 << 30
    part = uploads._part_size(Wish(size))
    assert (part % (1 << 20), size // part < uploads.MAX_PARTS) == (0, True)


def test_begin__over_the_limits__413_with_numbers(settings: Any) -> None:
    settings.PORTAL_MAX_UPLOAD_BYTES = 1000
    project = factories.make_project()
    with pytest.raises(TooLarge) as caught:
        begin(SYSTEM, project, Wish(1001))
    assert (caught.value.details, caught.value.code) == ({"limit_bytes": 1000, "size": 1001}, "too_large")
    project.max_upload_bytes = 100
    project.save()
    with pytest.raises(TooLarge) as caught:
        begin(SYSTEM, project, Wish(101))
    assert caught.value.details["limit_bytes"] == 100
    assert begin(SYSTEM, project, Wish(100)).size == 100


def test_begin__over_quota__413_until_there_is_room() -> None:
    project = factories.make_project()
    version = factories.make_version(factories.make_model(), data=b"x" * 600)
    project.quota_bytes = 1000
    project.save()
    waiting = begin(SYSTEM, project, Wish(400))
    with pytest.raises(TooLarge) as caught:
        begin(SYSTEM, project, Wish(1))
    assert (caught.value.code, caught.value.details) == (
        "over_quota",
        {"kept_bytes": 1000, "more_bytes": 1, "quota_bytes": 1000},
    )
    assert Upload.objects.count() == 1
    abort(SYSTEM, waiting)
    assert begin(SYSTEM, project, Wish(400)).size == 400
    ModelVersion.objects.filter(pk=version.pk).update(deleted_at=timezone.now())
    assert quotas.kept_bytes(project) == 400


@in_threads
def test_begin__at_once_where_one_fits__one_begins() -> None:
    project = factories.make_project()
    Project.objects.update(quota_bytes=1000)
    answers = at_once(lambda _number: begin(SYSTEM, project, Wish(600)).size)
    assert sorted(answers) == ["600", *["over_quota"] * (AT_ONCE - 1)]


def test_begin__disk_without_room__503(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.PORTAL_MAX_UPLOAD_BYTES = 2**62
    with pytest.raises(Unavailable) as caught:
        begin(SYSTEM, factories.make_project(), Wish(2**61, part_size=None))
    assert (caught.value.code, Upload.objects.count()) == ("storage_full", 0)


def test_abort__parts_gone_and_closed_for_good() -> None:
    upload = started()
    put(upload, 1)
    abort(SYSTEM, upload)
    assert (UploadPart.objects.count(), file_of(upload).path.exists()) == (0, False)
    assert refused(lambda: my_upload(SYSTEM, upload.pk)) == "not_found"
    assert refused(lambda: abort(SYSTEM, upload)) == "upload_closed"
    assert refused(lambda: put(upload, 1)) == "upload_closed"


def test_sweep__only_what_nobody_touched_for_a_day() -> None:
    old, young, complete_old, used = started(), started(), finished(), finished(graphs.add_constant(1.0))
    put(old, 1)
    version_of_uploads(SYSTEM, factories.make_model(), [NamedUpload("", used.pk)], About())
    long_ago = timezone.now() - timedelta(hours=25)
    Upload.objects.exclude(pk=young.pk).update(touched_at=long_ago)
    assert sweep_abandoned() == 2
    states = {str(upload.pk): upload.state for upload in Upload.objects.all()}
    assert states == {
        str(old.pk): "aborted",
        str(young.pk): "open",
        str(complete_old.pk): "aborted",
        str(used.pk): "used",
    }
    assert (file_of(old).path.exists(), file_of(young).path.exists()) == (False, True)
    assert AuditEvent.objects.filter(action="upload.swept", actor_name="system").count() == 2
    Upload.objects.exclude(state="open").update(touched_at=timezone.now() - timedelta(days=8))
    assert (sweep_abandoned(), Upload.objects.get()) == (0, young)


def test_sweep__a_part_comes_meanwhile__left_alone() -> None:
    upload = started()
    assert not uploads._give_up(SYSTEM, upload, "upload.swept", touched_at=upload.touched_at - timedelta(hours=25))
    assert Upload.objects.get().state == "open"


def test_begin__viewer__refused() -> None:
    with pytest.raises(NotAllowed):
        started(who=factories.principal("vera", "viewer"))


def test_begin__too_many_open__refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_OPEN", 2)
    anna = factories.principal("anna", "data_scientist")
    started(who=anna)
    started(who=anna)
    assert refused(lambda: started(who=anna)) == "too_many_uploads"
    assert started(who=factories.principal("ben", "data_scientist")).state == "open"
