"""Opening a version's files, after somebody has changed the disk or the row behind the portal's back."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portal.lib.errors import NotFound, PortalError, Unavailable
from registry.artifacts.encryption import MAGIC
from registry.artifacts.model_files import Artifact, ModelFile, bundle_digest
from registry.services.artifacts import artifact_store, job_store, opened
from registry.services.keys import signer
from tests import bundles

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
FILES = bundles.linear(np.eye(4, dtype=np.float32), np.ones(4, dtype=np.float32))


@pytest.fixture(autouse=True, params=["", KEY], ids=["plain", "encrypted"])
def home(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR, settings.PORTAL_ENCRYPTION_KEY = tmp_path, request.param
    for store in (artifact_store, job_store):
        store.cache_clear()
    yield tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()


def read(artifact: Artifact) -> dict[str, bytes]:
    with opened(artifact) as model:
        return {name: os.read(descriptor, 1 << 20) for name, descriptor in {"": model.main, **model.data}.items()}


def code_of_opening(artifact: Artifact) -> str:
    with pytest.raises(PortalError) as caught:
        read(artifact)
    assert caught.value.status in (404, 503)
    assert "/" not in caught.value.message
    return caught.value.code


def n_open() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_opened__single_file__its_bytes_and_nothing_left_open() -> None:
    artifact, before = bundles.store_one(b"a model" * 1000), n_open()
    assert read(artifact) == {"": b"a model" * 1000}
    assert n_open() == before


def test_opened__bundle__every_file_under_its_name() -> None:
    artifact, before = bundles.store(FILES), n_open()
    found = read(artifact)
    assert found == {
        "": FILES["model.onnx"],
        bundles.WEIGHTS: FILES[bundles.WEIGHTS],
        bundles.BIAS: FILES[bundles.BIAS],
    }
    assert n_open() == before


def test_opened__path__opens_the_same_bytes_again() -> None:
    with opened(bundles.store_one(b"a model")) as model, open(model.path, "rb") as again:
        assert again.read() == b"a model"


def test_opened__encrypted__in_memory_that_cannot_be_changed(settings: Any) -> None:
    artifact = bundles.store_one(b"a model")
    is_encrypted = artifact_store().path(artifact.sha256).read_bytes().startswith(MAGIC)
    assert is_encrypted == bool(settings.PORTAL_ENCRYPTION_KEY)
    with opened(artifact) as model:
        assert ("memfd" in os.readlink(f"/proc/self/fd/{model.main}")) == is_encrypted
        with pytest.raises(OSError):
            os.write(model.main, b"x")


@pytest.mark.parametrize("place", [0, 40, -1])
def test_opened__one_bit_of_the_file_flipped__tampered(place: int) -> None:
    artifact, before = bundles.store_one(b"a model" * 1000), n_open()
    flip(artifact.sha256, place)
    assert code_of_opening(artifact) == "artifact_tampered"
    assert n_open() == before


@pytest.mark.parametrize("which", [0, 1, 2])
def test_opened__one_bit_of_any_file_of_a_bundle_flipped__tampered(which: int) -> None:
    artifact, before = bundles.store(FILES), n_open()
    flip(artifact.files[which].sha256, -1)
    assert code_of_opening(artifact) == "artifact_tampered"
    assert n_open() == before


def flip(sha256: str, place: int) -> None:
    path = artifact_store().path(sha256)
    data = bytearray(path.read_bytes())
    # Not in the first bytes of an encrypted file: without them it would just be another file.
    data[place + (len(MAGIC) + 8 if place == 0 and data.startswith(MAGIC) else 0)] ^= 1
    path.write_bytes(data)


def test_opened__two_files_swapped__tampered() -> None:
    one, two = bundles.store_one(b"one" * 9), bundles.store_one(b"two" * 9)
    paths = [artifact_store().path(artifact.sha256) for artifact in (one, two)]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    assert [code_of_opening(one), code_of_opening(two)] == ["artifact_tampered"] * 2


def test_opened__encrypted_file_replaced_by_a_plain_one_of_other_bytes__tampered() -> None:
    artifact = bundles.store_one(b"a model")
    artifact_store().path(artifact.sha256).write_bytes(b"another")
    assert code_of_opening(artifact) == "artifact_tampered"


def test_opened__row_points_to_other_bytes__tampered() -> None:
    mine, other = bundles.store_one(b"mine"), bundles.store_one(b"other")
    assert code_of_opening(dataclasses.replace(mine, sha256=other.sha256)) == "artifact_tampered"


def test_opened__row_s_files_changed__tampered() -> None:
    artifact, other = bundles.store(FILES), bundles.store_one(b"x" * 16)
    first, second, third = artifact.files
    lists = (
        (first, third, second),
        (first, second),
        (first, second, ModelFile(third.name, other.sha256, 16)),
        (first, second, ModelFile("elsewhere.bin", third.sha256, third.size)),
        (*artifact.files, ModelFile("more.bin", other.sha256, 16)),
        (),
    )
    for files in lists:
        assert code_of_opening(dataclasses.replace(artifact, files=files)) in ("artifact_tampered", "artifact_missing")
    changed = lists[2]
    assert code_of_opening(Artifact(bundle_digest(changed), changed, artifact.seal)) == "artifact_tampered"


@pytest.mark.parametrize("change", [{"signature": "AAAA"}, {"key": "f" * 64}, {"signed_at": "2020-01-01"}])
def test_opened__seal_changed__tampered(change: dict[str, str]) -> None:
    artifact = bundles.store_one(b"a model")
    assert code_of_opening(dataclasses.replace(artifact, seal={**artifact.seal, **change})) == "artifact_tampered"


def test_opened__portal_has_another_key__tampered_unless_the_former_is_trusted(settings: Any) -> None:
    artifact, former = bundles.store_one(b"a model"), signer()
    settings.PORTAL_SIGNING_KEY = KEY
    assert code_of_opening(artifact) == "artifact_tampered"
    settings.PORTAL_TRUSTED_SIGNING_KEYS = [base64.b64encode(former.public).decode()]
    assert read(artifact) == {"": b"a model"}


def test_opened__no_seal__read_unless_seals_are_required(settings: Any) -> None:
    artifact = dataclasses.replace(bundles.store_one(b"a model"), seal={})
    assert read(artifact) == {"": b"a model"}
    settings.PORTAL_REQUIRE_SEALS = True
    assert code_of_opening(artifact) == "artifact_tampered"


def test_opened__file_gone__not_found() -> None:
    artifact, before = bundles.store(FILES), n_open()
    artifact_store().delete(artifact.files[2].sha256)
    with pytest.raises(NotFound) as caught, opened(artifact):
        pass
    assert caught.value.code == "artifact_missing"
    assert n_open() == before


def test_opened__encrypted_with_a_key_that_is_gone__says_so(settings: Any) -> None:
    artifact = bundles.store_one(b"a model")
    was_encrypted, settings.PORTAL_ENCRYPTION_KEY = settings.PORTAL_ENCRYPTION_KEY, ""
    artifact_store.cache_clear()
    if was_encrypted:
        with pytest.raises(Unavailable) as caught:
            read(artifact)
        assert caught.value.code == "encryption_key_missing"
    else:
        assert read(artifact) == {"": b"a model"}


def test_opened__what_the_caller_raises__goes_through() -> None:
    with pytest.raises(KeyError), opened(bundles.store_one(b"a model")):
        raise KeyError("mine")
