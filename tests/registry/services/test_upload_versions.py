"""Versions of complete uploads: each upload used once, by whom it may be, and bundles of several."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from portal.lib.errors import NotFound
from registry.access.principal import SYSTEM
from registry.models import ModelVersion, Project, Upload
from registry.services import quotas
from registry.services.upload_versions import NamedUpload, version_of_uploads
from registry.services.versions import About, upload_version
from registry.upload_selectors import my_upload, my_uploads, usable_upload
from tests import factories, graphs
from tests.registry.services.upload_steps import (
    AT_ONCE,
    at_once,
    finished,
    in_threads,
    refused,
    sha,
    started,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stray_files")]


def test_version__of_an_upload__not_counted_twice_against_the_quota() -> None:
    data = graphs.add_constant(1.0)
    model = factories.make_model()
    upload = finished(data)
    Project.objects.update(quota_bytes=len(data))
    version = version_of_uploads(SYSTEM, model, [NamedUpload("", upload.pk)], About(description="d"))
    assert (version.sha256, version.size, version.file_name) == (sha(data), len(data), "model.onnx")
    assert quotas.kept_bytes(version.model.project) == len(data)
    assert refused(lambda: upload_version(SYSTEM, model, [graphs.add_constant(2.0)])) == "over_quota"


def test_others__see_nothing_and_members_may_use_what_is_complete() -> None:
    anna, ben = factories.principal("anna", "data_scientist"), factories.principal("ben", "data_scientist")
    viewer, stranger = factories.principal("vera", "viewer"), factories.principal("sam")
    data = graphs.add_constant(5.0)
    upload = finished(data, anna)
    assert [item.pk for item in my_uploads(anna)] == [upload.pk]
    assert list(my_uploads(ben)) == []
    for who in (ben, viewer, stranger):
        assert refused(lambda who=who: my_upload(who, upload.pk)) == "not_found"  # type: ignore[misc]
    for who in (viewer, stranger):
        assert refused(lambda who=who: usable_upload(who, upload.pk)) == "not_found"  # type: ignore[misc]
    with pytest.raises(NotFound):
        my_upload(anna, uuid4())
    version = version_of_uploads(ben, factories.make_model(), [NamedUpload("", upload.pk)], About())
    assert (version.sha256, version.created_by_id) == (sha(data), ben.user_id)


def test_version__of_an_open_used_or_foreign_upload__refused_and_nothing_made() -> None:
    model = factories.make_model()
    elsewhere = factories.make_model(project=factories.make_project("elsewhere"))
    upload = finished(graphs.add_constant(1.0))

    def use(of: Upload, by: Any = model) -> str:
        return refused(lambda: version_of_uploads(SYSTEM, by, [NamedUpload("", of.pk)], About()))

    assert (use(started()), use(upload, elsewhere)) == ("upload_incomplete", "other_project")
    version_of_uploads(SYSTEM, model, [NamedUpload("", upload.pk)], About())
    assert use(upload, factories.make_model()) == "upload_used"
    assert ModelVersion.objects.count() == 1


def test_version__asked_again__the_same_one() -> None:
    model, upload = factories.make_model(), finished(graphs.add_constant(1.0))
    first, again = (version_of_uploads(SYSTEM, model, [NamedUpload("", upload.pk)], About()) for _ in range(2))
    assert (again.pk, ModelVersion.objects.count()) == (first.pk, 1)
    other = finished(b"w")
    both = [NamedUpload("m.onnx", upload.pk), NamedUpload("w", other.pk)]
    assert refused(lambda: version_of_uploads(SYSTEM, model, both, About())) == "upload_used"


def test_version__same_bytes__refused_and_the_upload_kept_for_another_model() -> None:
    model, data = factories.make_model(), graphs.add_constant(1.0)
    upload_version(SYSTEM, model, [data])
    upload = finished(data)
    use = lambda by: version_of_uploads(SYSTEM, by, [NamedUpload("", upload.pk)], About())  # noqa: E731
    assert refused(lambda: use(model)) == "same_bytes"
    assert Upload.objects.get().state == "complete"
    assert use(factories.make_model()).number == 1


@in_threads
def test_version__of_one_upload_at_once__one_is_made() -> None:
    upload, model = finished(graphs.add_constant(1.0)), factories.make_model()
    answers = at_once(lambda _: version_of_uploads(SYSTEM, model, [NamedUpload("", upload.pk)], About()).number)
    assert answers == ["1"] * AT_ONCE
    assert ModelVersion.objects.count() == 1


def test_bundle__model_and_weights__listed_with_the_model_first() -> None:
    weights, model_file = finished(b"w" * 100), finished(graphs.add_constant(1.0))
    named = [NamedUpload("a.bin", weights.pk), NamedUpload("model.onnx", model_file.pk)]
    version = version_of_uploads(SYSTEM, factories.make_model(), named, About())
    assert [item["name"] for item in version.files] == ["model.onnx", "a.bin"]
    assert [item["sha256"] for item in version.files] == [model_file.digest, weights.digest]
    assert (version.size, version.file_name) == (model_file.size + 100, "model.onnx")
    assert version.sha256 not in (weights.digest, model_file.digest)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("model.onnx", "../weights.bin"), "unsafe_path"),
        (("model.onnx", "/etc/passwd"), "unsafe_path"),
        (("model.onnx", "a\\b"), "unsafe_path"),
        (("model.onnx", "a\u202eb"), "bad_file_name"),
        (("model.onnx", "x" * 256), "bad_file_name"),
        (("model.onnx", "model.onnx"), "duplicate_name"),
        (("model.onnx", "other.onnx"), "several_models"),
        (("a.bin", "b.bin"), "no_model_in_archive"),
    ],
)
def test_bundle__names_that_it_cannot_have__refused_and_uploads_kept(names: tuple[str, str], code: str) -> None:
    made = [finished(b"1"), finished(b"2")]
    named = [NamedUpload(name, upload.pk) for name, upload in zip(names, made, strict=True)]
    assert refused(lambda: version_of_uploads(SYSTEM, factories.make_model(), named, About())) == code
    assert [upload.state for upload in Upload.objects.all()] == ["complete"] * 2
