"""Files encrypted at rest, tampered with as somebody who can write to the disk would."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from portal.lib.errors import InvalidInput, Unavailable
from registry.artifacts.encryption import CHUNK, HEADER_BYTES, MAGIC, Keyring, rewrap
from registry.artifacts.plain import is_plain
from registry.artifacts.store import ArtifactStore

OLD, NEW = b"o" * 32, b"n" * 32
SEALED_CHUNK = CHUNK + 16
DATA = bytes(range(256)) * (3 * CHUNK // 256) + b"the end"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store", Keyring([OLD]))


def kept(store: ArtifactStore, data: bytes = DATA) -> str:
    return store.receive([data], limit=len(data)).sha256


def code_of_reading(store: ArtifactStore, sha256: str) -> str:
    with pytest.raises(Unavailable) as caught, store.open(sha256) as file:
        file.read()
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_store__any_size__digest_size_and_bytes_are_the_plain_ones(store: ArtifactStore, size: int) -> None:
    data = os.urandom(size)
    blob = store.receive([data[:1000], data[1000:]], limit=size)
    assert (blob.sha256, blob.size, blob.head) == (hashlib.sha256(data).hexdigest(), size, data[:4096])
    with store.open(blob.sha256) as file:
        assert not is_plain(file)
        assert file.read() == data
    assert store.size(blob.sha256) == size
    on_disk = store.path(blob.sha256).read_bytes()
    assert on_disk.startswith(MAGIC)
    assert size < 16 or data[:16] not in on_disk
    assert len(on_disk) == HEADER_BYTES + size + 16 * max(1, -(-size // CHUNK))


def test_open__sought__the_bytes_there(store: ArtifactStore) -> None:
    with store.open(kept(store)) as file:
        for place in (0, 5, CHUNK - 3, 2 * CHUNK, len(DATA) - 4, len(DATA), len(DATA) + 9):
            assert file.seek(place) == place
            assert file.read(10) == DATA[place : place + 10]
        assert file.seek(0, os.SEEK_END) == len(DATA)
        assert file.seek(-7, os.SEEK_CUR) == len(DATA) - 7
        assert file.read() == b"the end"


@pytest.mark.parametrize("place", [20, 30, 60, HEADER_BYTES - 6, HEADER_BYTES, HEADER_BYTES + SEALED_CHUNK - 1, -1])
def test_open__one_bit_flipped__refused(store: ArtifactStore, place: int) -> None:
    sha256 = kept(store)
    data = bytearray(store.path(sha256).read_bytes())
    data[place] ^= 1
    store.path(sha256).write_bytes(data)
    assert code_of_reading(store, sha256) == ("encryption_key_missing" if place == 20 else "artifact_tampered")


@pytest.mark.parametrize(
    "length",
    [len(MAGIC), HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + SEALED_CHUNK, HEADER_BYTES + 2 * SEALED_CHUNK + 16, -1],
)
def test_open__cut_off__refused(store: ArtifactStore, length: int) -> None:
    sha256 = kept(store)
    store.path(sha256).write_bytes(store.path(sha256).read_bytes()[:length])
    assert code_of_reading(store, sha256) == "artifact_tampered"


def test_open__chunks_change_places__refused(store: ArtifactStore) -> None:
    sha256 = kept(store)
    data = store.path(sha256).read_bytes()
    header, chunks = data[:HEADER_BYTES], data[HEADER_BYTES:]
    first, second, rest = chunks[:SEALED_CHUNK], chunks[SEALED_CHUNK : 2 * SEALED_CHUNK], chunks[2 * SEALED_CHUNK :]
    store.path(sha256).write_bytes(header + second + first + rest)
    assert code_of_reading(store, sha256) == "artifact_tampered"


def test_open__bytes_appended__refused(store: ArtifactStore) -> None:
    sha256 = kept(store)
    with store.path(sha256).open("ab") as file:
        file.write(b"x" * 17)
    assert code_of_reading(store, sha256) == "artifact_tampered"


def test_open__two_files_swapped__refused(store: ArtifactStore) -> None:
    one, two = kept(store, b"one" * 1000), kept(store, b"two" * 1000)
    bytes_of_one = store.path(one).read_bytes()
    store.path(one).write_bytes(store.path(two).read_bytes())
    store.path(two).write_bytes(bytes_of_one)
    assert {code_of_reading(store, sha256) for sha256 in (one, two)} == {"artifact_tampered"}


def test_open__other_key_or_none__says_that_the_key_is_missing(store: ArtifactStore) -> None:
    sha256 = kept(store)
    for keys in (Keyring([NEW]), Keyring([])):
        assert code_of_reading(ArtifactStore(store.root, keys), sha256) == "encryption_key_missing"


def test_open__plain_and_encrypted_in_one_store__both_read(store: ArtifactStore) -> None:
    plain = kept(ArtifactStore(store.root), b"from before")
    encrypted = kept(store, b"from now")
    assert [store.open(sha256).read() for sha256 in (plain, encrypted)] == [b"from before", b"from now"]
    assert store.path(plain).read_bytes() == b"from before"


def test_receive__lies_there_plain__encrypted_from_then_on(store: ArtifactStore) -> None:
    sha256 = kept(ArtifactStore(store.root), DATA)
    assert kept(store) == sha256
    with store.open(sha256) as file:
        assert (is_plain(file), file.read() == DATA) == (False, True)


def test_receive__lies_there_spoilt__healed(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    sha256 = kept(store)
    store.path(sha256).write_bytes(b"y" + DATA[1:])
    kept(store)
    assert store.path(sha256).read_bytes() == DATA


def test_encrypt__plain_file__encrypted_once(store: ArtifactStore) -> None:
    sha256 = kept(ArtifactStore(store.root), DATA)
    assert [store.encrypt(sha256), store.encrypt(sha256)] == [True, False]
    assert store.path(sha256).read_bytes().startswith(MAGIC)
    assert store.open(sha256).read() == DATA
    assert list((store.root / "incoming").iterdir()) == []


def test_encrypt__plain_file_is_spoilt__left_as_it_is(store: ArtifactStore) -> None:
    sha256 = kept(ArtifactStore(store.root), DATA)
    store.path(sha256).write_bytes(b"other")
    with pytest.raises(Unavailable) as caught:
        store.encrypt(sha256)
    assert caught.value.code == "artifact_tampered"
    assert store.path(sha256).read_bytes() == b"other"
    assert list(store.digests()) == [sha256]


def test_rewrap__new_key_first__readable_by_it_alone_and_no_chunk_is_written_again(store: ArtifactStore) -> None:
    sha256 = kept(store)
    path = store.path(sha256)
    before = path.read_bytes()
    assert rewrap(path, sha256, Keyring([NEW, OLD])) == "rewrapped"
    assert rewrap(path, sha256, Keyring([NEW, OLD])) == "current"
    assert path.read_bytes()[HEADER_BYTES:] == before[HEADER_BYTES:]
    assert ArtifactStore(store.root, Keyring([NEW])).open(sha256).read() == DATA
    assert code_of_reading(ArtifactStore(store.root, Keyring([OLD])), sha256) == "encryption_key_missing"


def test_rewrap__without_the_old_key__refused_and_untouched(store: ArtifactStore) -> None:
    sha256 = kept(store)
    before = store.path(sha256).read_bytes()
    with pytest.raises(Unavailable) as caught:
        rewrap(store.path(sha256), sha256, Keyring([NEW]))
    assert caught.value.code == "encryption_key_missing"
    assert store.path(sha256).read_bytes() == before


def test_rewrap__plain_file__left_alone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    sha256 = kept(store)
    assert rewrap(store.path(sha256), sha256, Keyring([NEW])) == "plain"
    assert store.path(sha256).read_bytes() == DATA


def test_receive__plain_bytes_that_look_encrypted__refused_without_a_trace(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        kept(store, MAGIC + b"x" * 100)
    assert caught.value.code == "reserved_format"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    encrypting = ArtifactStore(tmp_path, Keyring([OLD]))
    assert encrypting.open(kept(encrypting, MAGIC + b"x" * 100)).read() == MAGIC + b"x" * 100


def test_receive_and_open__64_mb__a_few_mb_of_memory(store: ArtifactStore) -> None:
    def chunks() -> object:
        for _ in range(256):
            yield b"z" * (256 << 10)

    tracemalloc.start()
    try:
        blob = store.receive(chunks(), limit=64 << 20)  # type: ignore[arg-type]
        with store.open(blob.sha256) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (blob.size, digest) == (64 << 20, blob.sha256)
    assert peak < 8 << 20
