"""Makes a version of complete uploads: of one file, or of a model and its data files as a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput
from registry.access import policy
from registry.access.principal import Principal
from registry.artifacts.bundle import MAX_DATA_FILES, check_name, the_model
from registry.artifacts.model_files import Artifact, ModelFile, bundle_digest
from registry.artifacts.report import Rejected
from registry.models import ModelVersion, RegisteredModel, Upload, UploadState
from registry.services.artifacts import artifact_store
from registry.services.receiving import take
from registry.services.versions import About, register_version
from registry.upload_selectors import usable_upload


class AlreadyUsed(Exception):
    """An upload went into a version before. `conflict` is what its caller is told, unless it is the one he wants."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(conflict.message)
        self.conflict = conflict


class NamedUpload(NamedTuple):
    """`name` is the file's within the bundle; empty takes that of the upload."""

    name: str
    upload_id: UUID


def version_of_uploads(
    principal: Principal, model: RegisteredModel, wanted: Sequence[NamedUpload], about: About
) -> ModelVersion:
    """Uses each upload once; asked again, gives the version that was made. Raises NotFound, Conflict for one that is
    not complete, or what registering refuses."""
    uploads = [usable_upload(principal, item.upload_id) for item in wanted]
    try:
        return _made(uploads, model) or _make(principal, model, wanted, uploads, about)
    except AlreadyUsed as error:
        # Somebody was first: perhaps the same caller, whose answer got lost.
        made = _made([usable_upload(principal, item.upload_id) for item in wanted], model)
        if made is None:
            raise error.conflict from None
        return made


def _made(uploads: Sequence[Upload], model: RegisteredModel) -> ModelVersion | None:
    """The version of this model that exactly these uploads have become."""
    version = uploads[0].version
    if version is None or version.model_id != model.pk or version.deleted_at is not None:
        return None
    ids = {upload.pk for upload in uploads}
    return version if set(version.uploads.values_list("pk", flat=True)) == ids else None


def _make(
    principal: Principal, model: RegisteredModel, wanted: Sequence[NamedUpload], uploads: Sequence[Upload], about: About
) -> ModelVersion:
    for upload in uploads:
        _check_usable(upload, model)
    files = [ModelFile(item.name or up.file_name, up.digest, up.size) for item, up in zip(wanted, uploads, strict=True)]
    artifact = Artifact(files[0].sha256) if len(files) == 1 else bundle(files)
    if not about.file_name:
        about = dataclasses.replace(about, file_name=artifact.files[0].name if artifact.files else uploads[0].file_name)
    with transaction.atomic():
        # Used before the quota is asked: the same bytes are not counted twice.
        _use(uploads)
        version = register_version(principal, model, artifact, sum(item.size for item in files), about)
        Upload.objects.filter(pk__in=[upload.pk for upload in uploads]).update(version=version)
    return version


def version_of_files(
    principal: Principal, model: RegisteredModel, sources: Sequence[UploadedFile], about: About
) -> ModelVersion:
    """A bundle of files that came in one form."""
    policy.require(principal, "version.upload", model.project_id)
    blobs = [(source.name or "", take(artifact_store(), source)) for source in sources]
    artifact = bundle([ModelFile(name, blob.sha256, blob.size) for name, blob in blobs])
    about = dataclasses.replace(about, file_name=artifact.files[0].name)
    return register_version(principal, model, artifact, sum(blob.size for _name, blob in blobs), about)


def bundle(files: Sequence[ModelFile]) -> Artifact:
    """The ONNX file first, the others by name. Raises InvalidInput for names that a bundle cannot have."""
    names = [item.name for item in files]
    _check_names(names)
    try:
        for name in names:
            check_name(name)
        main = the_model(names)
    except Rejected as error:
        rejection = error.rejection
        raise InvalidInput(str(rejection.message), code=rejection.code, details={"field": "files"}) from None
    ordered = tuple(sorted(files, key=lambda item: (item.name != main, item.name)))
    return Artifact(bundle_digest(ordered), ordered)


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            _("Two files have the name “%(name)s”: each needs one of its own.") % {"name": twice[0]},
            code="duplicate_name",
            details={"field": "files"},
        )
    if len(names) > MAX_DATA_FILES + 1:
        raise InvalidInput(
            _("A bundle holds at most %(n)s data files.") % {"n": MAX_DATA_FILES},
            code="too_many_data_files",
            details={"field": "files"},
        )


def _check_usable(upload: Upload, model: RegisteredModel) -> None:
    if upload.project_id != model.project_id:
        raise Conflict(
            _("This upload belongs to project “%(project)s”, and the model does not: upload it to the model's project.")
            % {"project": upload.project.slug},
            code="other_project",
        )
    if upload.state == UploadState.OPEN:
        raise Conflict(
            _("This upload is not complete yet: send its parts, complete it, then use it."),
            code="upload_incomplete",
            details={"upload": str(upload.pk)},
        )
    if upload.state == UploadState.USED:
        raise AlreadyUsed(_used(upload))


def _use(uploads: Sequence[Upload]) -> None:
    for upload in sorted(uploads, key=lambda item: item.pk):
        complete = Upload.objects.filter(pk=upload.pk, state=UploadState.COMPLETE)
        if not complete.update(state=UploadState.USED, touched_at=timezone.now()):
            upload.refresh_from_db()
            raise AlreadyUsed(_used(upload))


def _used(upload: Upload) -> Conflict:
    version = upload.version
    if version is None or version.deleted_at is not None:
        sentence, details = _("A version was made of this upload, and it is deleted: upload the file again."), {}
    else:
        sentence = _("A version was made of this upload already: upload the file again, or use that version.")
        details = {"model": version.model.name, "number": version.number}
    return Conflict(sentence, code="upload_used", details={"upload": str(upload.pk), **details})
