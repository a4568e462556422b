"""Archives are unpacked in the sandbox; what is wrong with one is said, and nothing is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.artifacts.incoming import Incoming
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import ModelFile, OpenModel
from registry.artifacts.nursery import nursery
from registry.artifacts.sniff import archive_kind
from registry.artifacts.store import ArtifactStore
from registry.artifacts.unpack import Unpacked, _Unpacking, unpack
from tests import archives, graphs
from tests.rejections import ARCHIVES, assert_documented

Run = Callable[..., Unpacked]
TEN_MEGABYTES = 10 << 20


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def run(tmp_path: Path, store: ArtifactStore) -> Run:
    def unpacked(data: bytes, kind: str = "", limit: int = TEN_MEGABYTES) -> Unpacked:
        path = tmp_path / "archive"
        path.write_bytes(data)
        archive = OpenModel(os.open(path, os.O_RDONLY), {})
        try:
            return unpack(archive, kind or archive_kind(data[:4096], len(data)), store, limit=limit)
        finally:
            archive.close()

    return unpacked


def described(name: str, data: bytes) -> ModelFile:
    return ModelFile(name, hashlib.sha256(data).hexdigest(), len(data))


GOOD = [described(name, data) for name, data in archives.bundle().items()]


@pytest.mark.parametrize(
    "pack",
    [
        archives.zipped,
        archives.tarred,
        lambda files: archives.zipped(files, zipfile.ZIP_STORED),
        lambda files: archives.zipped(files, zipfile.ZIP_BZIP2),
        lambda files: archives.zipped({f"export/{name}": data for name, data in files.items()}),
        lambda files: archives.tarred({f"./{name}": data for name, data in reversed(files.items())}),
        lambda files: archives.zipped({"__MACOSX/._model.onnx": b"x", **{f"a/{n}": d for n, d in files.items()}}),
    ],
    ids=["zip", "tar", "stored", "bzip2", "in a folder", "dot and order", "clutter"],
)
def test_unpack__good_archive__model_first_then_the_data(
    run: Run, store: ArtifactStore, pack: Callable[..., bytes]
) -> None:
    found = run(pack(archives.bundle()))
    assert found == Unpacked(tuple(GOOD), (), None)
    assert [store.open(item.sha256).read() for item in found.files] == list(archives.bundle().values())
    assert list((store.root / "incoming").iterdir()) == []


def test_unpack__model_alone__one_file(run: Run) -> None:
    data = graphs.add_constant()
    assert run(archives.zipped({"a.ONNX": data})).files == (described("a.ONNX", data),)


def test_unpack__files_the_model_does_not_name__left_out_and_named(run: Run) -> None:
    found = run(archives.zipped({**archives.bundle(), "README.md": b"hello", "sub/model.onnx": b"other"}))
    assert (list(found.files), found.left_out) == (GOOD, ("README.md", "sub/model.onnx"))


@pytest.mark.parametrize("letter", ["模", "\N{OLD PERSIAN SIGN A}"])
def test_unpack__many_long_names_left_out__unpacked_and_the_first_twenty_named(run: Run, letter: str) -> None:
    more = {f"{letter * 250}{number:02}.md": b"x" for number in range(25)}
    found = run(archives.zipped({**archives.bundle(), **more}))
    assert (list(found.files), found.left_out) == (GOOD, tuple(sorted(more)[:20]))


def test_unpack__data_in_a_folder__by_the_name_in_the_graph(run: Run) -> None:
    model = archives.adds(archives.reference(location="data/w.bin", length=16))
    found = run(archives.zipped({"model.onnx": model, "data/w.bin": archives.WEIGHTS}))
    assert [item.name for item in found.files] == ["model.onnx", "data/w.bin"]


@pytest.mark.parametrize("case", ARCHIVES)
def test_unpack__bad_archive__refused_and_nothing_left(run: Run, store: ArtifactStore, case: str) -> None:
    build, code = ARCHIVES[case]
    found = run(build(), limit=1 << 30)
    assert found.rejection is not None
    assert (found.rejection.code, found.files) == (code, ())
    assert_documented("archives", case, found.rejection)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_unpack__over_the_limit__refused_with_the_number(run: Run) -> None:
    model = archives.adds(archives.reference(dims=(1 << 20,), length=4 << 20))
    found = run(archives.zipped({"model.onnx": model, "weights.bin": os.urandom(4 << 20)}), limit=3 << 20)
    assert found.rejection is not None
    assert found.rejection.code == "archive_too_large"
    assert "larger than the 3 MB" in found.rejection.message


def test_unpack__zygote_dies_halfway__once_more_and_nothing_of_the_first_is_left(
    run: Run, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = os.urandom(4 << 20)
    files = {"model.onnx": archives.adds(archives.reference(length=16)), "weights.bin": weights}
    n_begun, begin = 0, store.begin

    def begin_and_end_the_zygote(*, limit: int) -> Incoming:
        nonlocal n_begun
        n_begun += 1
        if n_begun == 2:
            assert nursery._program is not None
            nursery._program.kill()
            nursery._program.wait()
        return begin(limit=limit)

    monkeypatch.setattr(store, "begin", begin_and_end_the_zygote)
    assert run(archives.zipped(files)).files == tuple(described(name, data) for name, data in files.items())
    assert n_begun == 4
    assert list((store.root / "incoming").iterdir()) == []


def test_unpack__more_names_left_out_than_are_told__the_childs_word_does_not_count(store: ArtifactStore) -> None:
    heard = _Unpacking(store, Limits(unpacked_bytes=100))
    heard.hear(json.dumps({"done": ["a"] * 21}).encode() + b"\n")
    assert heard.broken


def test_unpack__random_damage__final_and_works_afterwards(run: Run) -> None:
    good = archives.zipped(archives.bundle())
    for position in range(0, len(good), 41):
        damaged = bytearray(good)
        damaged[position] ^= 0xFF
        found = run(bytes(damaged), "zip")
        assert (found.rejection is None) == bool(found.files)
    assert run(good).files == tuple(GOOD)
