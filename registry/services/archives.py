"""The files of a version, and which uploads are archives that have to be unpacked before they can be validated."""

from __future__ import annotations

from registry.artifacts.incoming import HEAD_BYTES
from registry.artifacts.model_files import Artifact, Subject, files_from_json
from registry.artifacts.sniff import archive_kind
from registry.models import ModelVersion
from registry.services.artifacts import artifact_store


def artifact_of(version: ModelVersion) -> Artifact:
    return Artifact(version.sha256, files_from_json(version.files), version.seal, subject_of(version))


def subject_of(version: ModelVersion) -> Subject:
    return Subject(version.model_id, version.number)


def kind_of(artifact: Artifact) -> str:
    """ "zip" or "tar"; empty for a model, a bundle and anything else. Raises NotFound (`artifact_missing`)."""
    if artifact.files:
        return ""
    with artifact_store().open(artifact.sha256) as file:
        return archive_kind(file.read(HEAD_BYTES), HEAD_BYTES)
