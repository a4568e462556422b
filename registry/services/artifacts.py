"""Where this installation keeps its bytes, and how a version's bytes are had: proven, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import structlog
from django.conf import settings

from portal.lib.errors import Unavailable
from registry.artifacts.model_files import Artifact, OpenModel, bundle_digest
from registry.artifacts.proving import open_proven
from registry.artifacts.seals import Tampered, check_seal
from registry.artifacts.store import ArtifactStore
from registry.services.keys import encryption_keys, trusted_keys
from registry.services.tampering import note_proven, note_tampered

log = structlog.get_logger(__name__)


@cache
def artifact_store() -> ArtifactStore:
    """Models, named by digest."""
    return ArtifactStore(settings.DATA_DIR / "artifacts", encryption_keys())


@cache
def job_store() -> ArtifactStore:
    """Inputs and outputs of batch jobs, named by digest."""
    return ArtifactStore(settings.DATA_DIR / "jobs", encryption_keys())


@contextmanager
def opened(artifact: Artifact) -> Iterator[OpenModel]:
    """Every file of a version, read once in full to prove it and open from its beginning; closed at the end.

    Raises NotFound (`artifact_missing`), and Unavailable (`artifact_tampered`) where seal, list or bytes are not those
    that were registered.
    """
    require_seal(artifact)
    with ExitStack() as stack:
        yield _proven(artifact, stack)


def _proven(artifact: Artifact, stack: ExitStack) -> OpenModel:
    store = artifact_store()
    try:
        main = stack.enter_context(open_proven(store, artifact.main))
        data = {item.name: stack.enter_context(open_proven(store, item.sha256)) for item in artifact.data}
    except Tampered as error:
        raise refused(artifact, str(error)) from None
    except Unavailable as error:
        raise noted(artifact, error) from None
    note_proven(artifact)
    return OpenModel(main, data)


def require_seal(artifact: Artifact) -> None:
    """Seal and list, without the bytes. Raises Unavailable (`artifact_tampered`)."""
    try:
        _check(artifact)
    except Tampered as error:
        raise refused(artifact, str(error)) from None
    if not artifact.seal:
        log.warning("artifact_not_sealed", sha256=artifact.sha256)


def seal_holds(artifact: Artifact) -> bool:
    """As `require_seal`, for those who ask often: says nothing to anybody."""
    try:
        _check(artifact)
    except Tampered:
        return False
    return True


def _check(artifact: Artifact) -> None:
    if artifact.files and bundle_digest(artifact.files) != artifact.sha256:
        raise Tampered("the list of files")
    if artifact.seal:
        check_seal(trusted_keys(), artifact.sha256, artifact.seal, artifact.subject)
    elif settings.PORTAL_REQUIRE_SEALS:
        raise Tampered("no seal")


def refused(artifact: Artifact, found: str) -> Unavailable:
    """What to raise, after it was noted for the record (`tampering.py`)."""
    note_tampered(artifact, found)
    return tampered()


def noted(artifact: Artifact, error: Unavailable) -> Unavailable:
    """Reading what is encrypted finds it out by itself."""
    if error.code == "artifact_tampered":
        note_tampered(artifact, "the encrypted bytes")
    return error


def tampered() -> Unavailable:
    return Unavailable(
        "The bytes of this version are not those that were registered, so it is not loaded; upload it again.",
        code="artifact_tampered",
    )
