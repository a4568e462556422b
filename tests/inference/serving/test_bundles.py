"""Versions whose weights lie in files of their own, and versions that somebody has tampered with: loaded for real."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.replay.pair import opened as replayed
from inference.routing.snapshot import VersionRef
from inference.runtime.isolated.session import IsolatedSession
from inference.runtime.session import load_session
from inference.serving import sessions
from inference.serving.opening import opener
from inference.serving.shadow_session import load_apart
from portal.lib.errors import Unavailable
from registry.artifacts.encryption import MAGIC
from registry.artifacts.model_files import Artifact, Subject
from registry.artifacts.signature import Signature, TensorSpec
from registry.services.artifacts import artifact_store
from tests import bundles, graphs

SUBJECT = Subject(7, 1)
KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
LINEAR = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 4)),))
RANDOM = np.random.default_rng(1)
WEIGHT, BIAS, X = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((4, 4), (4,), (3, 4)))
EXPECTED = X @ WEIGHT + BIAS


@pytest.fixture(params=["", KEY], ids=["plain", "encrypted"])
def home(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR, settings.PORTAL_ENCRYPTION_KEY = tmp_path, request.param
    settings.PORTAL_ISOLATED_MEMORY_BYTES = 256 << 20
    artifact_store.cache_clear()
    sessions.session_pool.cache_clear()
    sessions.optimized_graphs.cache_clear()
    yield tmp_path
    for kept in (artifact_store, sessions.session_pool, sessions.optimized_graphs):
        kept.cache_clear()


@pytest.fixture
def bundle(home: Path) -> Artifact:
    return bundles.store(bundles.linear(WEIGHT, BIAS), subject=SUBJECT)


def version(artifact: Artifact, *, isolated: bool = False) -> VersionRef:
    facts = {"files": artifact.files, "seal": artifact.seal, "model_id": SUBJECT.model}
    return VersionRef(1, SUBJECT.version, artifact.sha256, LINEAR, 1e-5, isolated=isolated, **facts)


@pytest.mark.parametrize("isolated", [False, True])
def test_load_version__bundle__answers_exactly_as_with_the_weights_inside(bundle: Artifact, isolated: bool) -> None:
    session = sessions.load_version(version(bundle, isolated=isolated))
    try:
        np.testing.assert_array_equal(session.run({"x": X})[0], one_file().run({"x": X})[0])
        np.testing.assert_allclose(session.run({"x": X})[0], EXPECTED, rtol=1e-5)
        assert session.memory_bytes > sum(item.size for item in bundle.files)
    finally:
        session.close()


def one_file() -> Any:
    nodes = [graphs.helper.make_node("MatMul", ["x", "w"], ["m"]), graphs.helper.make_node("Add", ["m", "b"], ["y"])]
    weights = [graphs.constant("w", WEIGHT), graphs.constant("b", BIAS)]
    model = graphs.model(nodes, [graphs.value("x", [None, 4])], [graphs.value("y", [None, 4])], weights)
    path = artifact_store().root / "one.onnx"
    path.write_bytes(model.SerializeToString())
    return load_session(path, LINEAR)


def test_shadow_and_replay__bundle__answer_too(bundle: Artifact) -> None:
    shadow = load_apart(version(bundle), lambda death: None)
    with replayed(version(bundle)) as side:
        np.testing.assert_array_equal(shadow.run({"x": X})[0], side.session.run({"x": X})[0])
    shadow.close()


def test_load_version__bundle_without_one_of_its_files__not_loadable_and_no_file_is_looked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = bundles.linear(WEIGHT, BIAS)
    (home / bundles.BIAS).write_bytes(files.pop(bundles.BIAS))
    monkeypatch.chdir(home)
    artifact = bundles.store(files, subject=SUBJECT)
    for isolated in (False, True):
        with pytest.raises(Unavailable) as caught:
            sessions.load_version(version(artifact, isolated=isolated))
        assert caught.value.code == "model_not_loadable"
        sessions.session_pool.cache_clear()


@pytest.mark.parametrize("isolated", [False, True])
def test_load_version__bit_flipped_in_the_weights__tampered(bundle: Artifact, isolated: bool) -> None:
    flip(bundle.files[1].sha256)
    with pytest.raises(Unavailable) as caught:
        sessions.load_version(version(bundle, isolated=isolated))
    assert caught.value.code == "artifact_tampered"


@pytest.mark.parametrize("isolated", [False, True])
def test_load_version__row_names_another_file_of_the_store__tampered(home: Path, isolated: bool) -> None:
    mine, other = (
        bundles.store_one(graphs.add_constant(1.0), SUBJECT),
        bundles.store_one(graphs.add_constant(2.0), SUBJECT),
    )
    with pytest.raises(Unavailable) as caught:
        sessions.load_version(version(dataclasses.replace(mine, sha256=other.sha256), isolated=isolated))
    assert caught.value.code == "artifact_tampered"


def flip(sha256: str) -> None:
    path = artifact_store().path(sha256)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_isolated__process_ends_after_the_file_was_tampered_with__never_loaded_again(home: Path) -> None:
    artifact = bundles.store_one(graphs.add_constant(1.0), SUBJECT)
    session = isolated_session(artifact)
    try:
        np.testing.assert_array_equal(session.run({"x": X})[0], X + 1)
        flip(artifact.sha256)
        kill(session)
        assert code_of_running(session) == "artifact_tampered"
    finally:
        session.close()


def test_isolated__process_ends__its_files_are_opened_anew(bundle: Artifact) -> None:
    session = isolated_session(bundle)
    try:
        before = session.run({"x": X})[0]
        kill(session)
        np.testing.assert_array_equal(session.run({"x": X}, deadline=time.monotonic() + 30)[0], before)
        assert session.restarts == 1
    finally:
        session.close()


def isolated_session(artifact: Artifact) -> IsolatedSession:
    return IsolatedSession(
        opener(version(artifact)), LINEAR, memory_bytes=1, limit_bytes=256 << 20, sha256=artifact.sha256, on_death=print
    )


def kill(session: IsolatedSession) -> None:
    pid, until = session.pid, time.monotonic() + 10
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while session.pid == pid and time.monotonic() < until:
        time.sleep(0.01)


def code_of_running(session: IsolatedSession) -> str:
    """Once the restarts are done with being at once, and wait."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            session.run({"x": X}, deadline=time.monotonic() + 1)
        except Exception as error:
            if getattr(error, "code", "") == "artifact_tampered":
                return "artifact_tampered"
        time.sleep(0.05)
    return "never refused"


def test_keep_optimized__encrypted_or_bundle__nothing_plain_is_kept(
    home: Path, settings: Any, bundle: Artifact
) -> None:
    artifact = bundles.store_one(graphs.add_constant(1.0), SUBJECT)
    if settings.PORTAL_ENCRYPTION_KEY:
        assert not sessions.keep_optimized(version(artifact))
        assert all(path.read_bytes().startswith(MAGIC) for path in home.rglob("*") if len(path.name) == 64)
    assert not sessions.keep_optimized(version(bundle))
    assert not (home / "cache").exists()
