from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from inference.runtime import optimized
from inference.runtime.opening import opener_of
from inference.runtime.optimized import OptimizedGraphs, same_answers
from inference.runtime.session import load_session
from portal.lib.errors import Unavailable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 1)),))
FACTS: dict[str, Any] = {"probe": "ok", "isolated": False, "probe_inputs": {"values": "zeros", "free": 8}}
X = {"x": np.array([[1, 2, 3, 4], [-1, 0, 0.5, 9]], np.float32)}
ALWAYS = float("inf")


@pytest.fixture
def original(tmp_path: Path) -> tuple[Path, str]:
    """A model's file and its digest."""
    data = graphs.mlp(64)
    path = tmp_path / "model"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def kept_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "optimized").glob("*"))


def graphs_in(tmp_path: Path, limit_bytes: int = 1 << 30, worth: float = ALWAYS) -> OptimizedGraphs:
    return OptimizedGraphs(tmp_path / "optimized", limit_bytes, min_bytes=1, worth=worth)


def test_keep__then_load__from_the_kept_graph_with_the_same_answers(
    tmp_path: Path, original: tuple[Path, str], capfd: pytest.CaptureFixture[str]
) -> None:
    found = graphs_in(tmp_path)
    expected = found.load(*original, SIGNATURE).run(X)[0]
    assert found.keep(*original, SIGNATURE, FACTS)
    assert found.keep(*original, SIGNATURE, FACTS)
    (kept,) = kept_files(tmp_path)
    assert kept.name.startswith(original[1])
    original[0].unlink()
    assert found.load(*original, SIGNATURE).run(X)[0].tobytes() == expected.tobytes()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {**FACTS, "isolated": True},
        {**FACTS, "probe": "refused"},
        {**FACTS, "deterministic": False},
        {"probe": "ok", "risks": ["loop"]},
    ],
)
def test_keep__not_known_to_be_harmless__nothing_made(
    tmp_path: Path, original: tuple[Path, str], facts: dict[str, Any]
) -> None:
    assert not graphs_in(tmp_path).keep(*original, SIGNATURE, facts)
    assert kept_files(tmp_path) == []


def test_keep__gains_too_little__remembered_and_the_original_is_loaded(
    tmp_path: Path, original: tuple[Path, str]
) -> None:
    found = graphs_in(tmp_path, worth=0)
    assert not found.keep(*original, SIGNATURE, FACTS)
    assert [path.stat().st_size for path in kept_files(tmp_path)] == [0]
    assert not graphs_in(tmp_path).keep(*original, SIGNATURE, FACTS)
    assert found.load(*original, SIGNATURE).run(X)[0].shape == (2, 1)


def test_keep__no_inputs_to_compare_by__not_kept(tmp_path: Path, original: tuple[Path, str]) -> None:
    found = graphs_in(tmp_path)
    assert not found.keep(*original, SIGNATURE, {**FACTS, "probe_inputs": {"values": "nonsense", "free": 8}})
    assert [path.stat().st_size for path in kept_files(tmp_path)] == [0]


def test_same_answers__other_weights__no(tmp_path: Path, original: tuple[Path, str]) -> None:
    other = tmp_path / "other"
    other.write_bytes(graphs.mlp(64, seed=8))
    first, same, different = (load_session(path, SIGNATURE) for path in (original[0], original[0], other))
    assert same_answers(first, same, FACTS)
    assert not same_answers(first, different, FACTS)


def test_keep__too_small__left_alone(tmp_path: Path, original: tuple[Path, str]) -> None:
    assert not OptimizedGraphs(tmp_path / "optimized", 1 << 30).keep(*original, SIGNATURE, FACTS)
    assert kept_files(tmp_path) == []


@pytest.mark.parametrize("damage", [b"hello", graphs.mlp(64)[:-9], graphs.classifier()])
def test_load__kept_graph_is_damaged_or_another__the_original_and_it_is_dropped(
    tmp_path: Path, original: tuple[Path, str], damage: bytes
) -> None:
    found = graphs_in(tmp_path)
    assert found.keep(*original, SIGNATURE, FACTS)
    (kept,) = kept_files(tmp_path)
    kept.write_bytes(damage)
    assert found.load(*original, SIGNATURE).run(X)[0].shape == (2, 1)
    assert kept_files(tmp_path) == []


def test_load__kept_by_another_release_or_processor__the_original(
    tmp_path: Path, original: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = graphs_in(tmp_path)
    assert found.keep(*original, SIGNATURE, FACTS)
    original[0].unlink()
    monkeypatch.setattr(optimized, "_machine", lambda: "another")
    with pytest.raises(Unavailable):
        found.load(*original, SIGNATURE)


def test_keep__folder_over_its_limit__the_longest_unused_goes(tmp_path: Path, original: tuple[Path, str]) -> None:
    path, _ = original
    roomy = graphs_in(tmp_path)
    for age, digest in ((300, "a" * 64), (200, "b" * 64)):
        assert roomy.keep(path, digest, SIGNATURE, FACTS)
        kept = next(file for file in kept_files(tmp_path) if file.name.startswith(digest))
        os.utime(kept, (kept.stat().st_atime, kept.stat().st_mtime - age))
    assert graphs_in(tmp_path, 2 * path.stat().st_size + 2_000).keep(path, "c" * 64, SIGNATURE, FACTS)
    assert [file.name[0] for file in kept_files(tmp_path)] == ["b", "c"]


def test_keep__folder_cannot_be_made__no_error(tmp_path: Path, original: tuple[Path, str]) -> None:
    (tmp_path / "optimized").write_bytes(b"a file is in the way")
    assert not graphs_in(tmp_path).keep(*original, SIGNATURE, FACTS)
    assert graphs_in(tmp_path).load(*original, SIGNATURE).run(X)[0].shape == (2, 1)


class Seals:
    """A seal of its own kind: what matters is what it is asked."""

    def seal(self, original: str, kept: str) -> dict[str, str]:
        return {"of": original, "kept": kept}

    def holds(self, original: str, kept: str, seal: dict[str, str]) -> bool:
        return seal == {"of": original, "kept": kept}


@pytest.mark.parametrize("spoil", ["graph", "seal", "no seal", "other version's"])
def test_load__kept_graph_is_not_the_one_that_was_sealed__thrown_away_and_the_original_loaded(
    tmp_path: Path, original: tuple[Path, str], spoil: str
) -> None:
    found = OptimizedGraphs(tmp_path / "optimized", 1 << 30, seals=Seals(), min_bytes=1, worth=ALWAYS)
    expected = found.load(*original, SIGNATURE).run(X)[0]
    assert found.keep(*original, SIGNATURE, FACTS)
    kept, seal = kept_files(tmp_path)
    assert seal.name == f"{kept.name}.{hashlib.sha256(kept.read_bytes()).hexdigest()}.seal"
    if spoil == "graph":
        kept.write_bytes(graphs.mlp(65))
    elif spoil == "no seal":
        seal.unlink()
    else:
        seal.write_bytes(b'{"of": "x", "kept": "y"}' if spoil == "seal" else b"[")
    assert found.load(*original, SIGNATURE).run(X)[0].tobytes() == expected.tobytes()
    assert not kept.exists()


def test_load__kept_graph_with_its_seal__loaded_without_the_original(
    tmp_path: Path, original: tuple[Path, str]
) -> None:
    found = OptimizedGraphs(tmp_path / "optimized", 1 << 30, seals=Seals(), min_bytes=1, worth=ALWAYS)
    assert found.keep(*original, SIGNATURE, FACTS)
    original[0].unlink()
    assert found.load(*original, SIGNATURE).run(X)[0].shape == (2, 1)


def test_keep__two_at_once_with_different_graphs__whichever_is_there_has_its_seal(
    tmp_path: Path, original: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rearranged graph of one process differs from the other's in a byte, and both keep theirs at every moment."""
    refused: list[str] = []

    class Watched(Seals):
        def holds(self, original: str, kept: str, seal: dict[str, str]) -> bool:
            held = super().holds(original, kept, seal)
            refused.extend([] if held else [kept])
            return held

    def keeper(number: int) -> None:
        found = OptimizedGraphs(tmp_path / "optimized", 1 << 30, seals=Watched(), min_bytes=1, worth=ALWAYS)
        monkeypatch.setattr(found, "_make", lambda model, draft, *_: draft.write_bytes(graphs.mlp(64, seed=number)))
        with opener_of(original[0])() as model:
            for _ in range(40):
                assert found._keep(model, original[1], SIGNATURE, FACTS)

    def loader() -> None:
        found = OptimizedGraphs(tmp_path / "optimized", 1 << 30, seals=Watched(), min_bytes=1, worth=ALWAYS)
        while not done.is_set():
            found.load(*original, SIGNATURE).close()

    done = Event()
    with ThreadPoolExecutor() as pool:
        loads = pool.submit(loader)
        try:
            for keeps in [pool.submit(keeper, number) for number in (1, 2, 3)]:
                keeps.result()
        finally:
            done.set()
        loads.result()
    assert refused == []
    assert list((tmp_path / "optimized").glob("*.draft")) == []
