from __future__ import annotations

import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.lib.errors import InvalidInput, NotFound, TooLarge, Unavailable
from registry.artifacts.store import ArtifactStore

DATA = b"slipway" * 1_000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The kernel refuses to let a file grow over 64 KB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(store: ArtifactStore) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def test_receive__chunks__stored_under_digest(store: ArtifactStore) -> None:
    blob = store.receive([DATA[:10], b"", DATA[10:]], limit=len(DATA))
    assert (blob.sha256, blob.size, blob.head) == (DIGEST, 7_000, DATA[:4096])
    assert files(store) == [f"sha256/{DIGEST[:2]}/{DIGEST}"]
    assert store.path(DIGEST).read_bytes() == DATA
    assert stat.S_IMODE(store.path(DIGEST).stat().st_mode) == 0o600


def test_receive__same_bytes_again__one_file(store: ArtifactStore) -> None:
    first = store.receive([DATA], limit=10_000)
    before = store.path(DIGEST).stat().st_ino
    assert store.receive([DATA], limit=10_000) == first
    assert store.path(DIGEST).stat().st_ino == before
    assert files(store) == [f"sha256/{DIGEST[:2]}/{DIGEST}"]


def test_receive__no_bytes__empty_blob(store: ArtifactStore) -> None:
    blob = store.receive([], limit=10)
    assert (blob.size, blob.head) == (0, b"")
    assert blob.sha256 == hashlib.sha256(b"").hexdigest()


def test_receive__over_limit__stops_reading_and_leaves_nothing(store: ArtifactStore) -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for index in range(100):
            taken.append(index)
            yield b"x" * 10

    with pytest.raises(TooLarge) as caught:
        store.receive(chunks(), limit=25)
    assert (caught.value.status, caught.value.details) == (413, {"limit_bytes": 25})
    assert taken == [0, 1, 2]
    assert files(store) == []


def test_receive__exactly_at_limit__stored(store: ArtifactStore) -> None:
    assert store.receive([DATA], limit=len(DATA)).size == len(DATA)


def test_receive__client_gone__leaves_nothing(store: ArtifactStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield DATA
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        store.receive(chunks(), limit=1 << 20)
    assert files(store) == []


def test_receive__disk_full__says_so_and_leaves_nothing(store: ArtifactStore, full_disk: None) -> None:
    with pytest.raises(Unavailable) as caught:
        store.receive([DATA] * 100, limit=1 << 30)
    assert caught.value.code == "storage_full"
    assert files(store) == []


def test_path__anything_but_a_digest__refused(store: ArtifactStore) -> None:
    for name in ("../../etc/passwd", "", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "a" * 65):
        with pytest.raises(InvalidInput):
            store.path(name)


def test_open_and_size__missing__not_found(store: ArtifactStore) -> None:
    for act in (store.open, store.size):
        with pytest.raises(NotFound):
            act(DIGEST)
    assert not store.exists(DIGEST)


def test_delete__present__gone_once(store: ArtifactStore) -> None:
    store.receive([DATA], limit=10_000)
    with store.open(DIGEST) as file:
        assert (store.exists(DIGEST), store.size(DIGEST), file.read()) == (True, 7_000, DATA)
    assert (store.delete(DIGEST), store.delete(DIGEST), files(store)) == (True, False, [])


def test_sweep_incoming__left_by_dead_process__removed(store: ArtifactStore) -> None:
    store.receive([DATA], limit=10_000)
    for name, age in (("old", 100), ("young", 0)):
        path = store.root / "incoming" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    assert store.sweep_incoming(50) == 1
    assert files(store) == ["incoming/young", f"sha256/{DIGEST[:2]}/{DIGEST}"]
