"""What the doctor says of the stores' files when some of them went away or are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.local.doctor import keys
from portal.local.doctor.finding import Level
from portal.local.paths import Layout
from registry.artifacts.encryption import MAGIC
from registry.artifacts.store import ArtifactStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    """With one plain file."""
    store = ArtifactStore(tmp_path / "store")
    monkeypatch.setattr(keys, "artifact_store", lambda: store)
    monkeypatch.setattr(keys, "job_store", lambda: ArtifactStore(tmp_path / "jobs"))
    _put(store, "a" * 64).write_bytes(b"plain")
    return store


def _put(store: ArtifactStore, sha256: str) -> Path:
    path = store.path(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_encryption_key__a_file_was_swept_meanwhile__is_left_out(store: ArtifactStore, tmp_path: Path) -> None:
    _put(store, "b" * 64).symlink_to(tmp_path / "gone")
    finding = keys.encryption_key(Layout(tmp_path))
    assert (finding.level, finding.text) == (Level.OK, "off: files lie in the stores as they are")


@pytest.mark.parametrize("kind", ["cut off", "folder"])
def test_encryption_key__a_file_cannot_be_read__fails_and_names_it(
    store: ArtifactStore, tmp_path: Path, kind: str
) -> None:
    path = _put(store, "b" * 64)
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(MAGIC + b"x")
    finding = keys.encryption_key(Layout(tmp_path))
    assert finding.level == Level.FAIL
    assert finding.text.startswith(f"1 of 2 files cannot be read. The first is {path}: ")
    assert len(finding.text.splitlines()) == 1
