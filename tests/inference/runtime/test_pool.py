from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inference.runtime import pool as pool_module
from inference.runtime.pool import IDLE_SECONDS, SessionPool
from inference.runtime.session import ModelSession, load_session
from portal.lib.errors import NotFound, Unavailable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

PLUS = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 4)),))
X = {"x": np.zeros((1, 4), np.float32)}


class Weak(ModelSession):
    """A ModelSession that a test can watch being dropped."""

    __slots__ = ("__weakref__",)


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], ModelSession]:
    """Sessions of 100 bytes by the account of the pool; the digest "plus7" adds 7."""

    def load_one(digest: str) -> ModelSession:
        path = tmp_path / f"{digest}.onnx"
        path.write_bytes(graphs.add_constant(float(digest.removeprefix("plus"))))
        session = load_session(path, PLUS)
        weak = Weak(session._session, PLUS, 100)
        return weak

    return load_one


def digests(pool: SessionPool) -> list[str]:
    return [stat.digest for stat in pool.stats()]


def test_get__not_loaded__none_and_then_the_session(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 1_000)
    assert pool.get("plus7") is None
    session = pool.load("plus7")
    assert pool.get("plus7") is session
    assert pool.load("plus7") is session
    assert session.run(X)[0].tolist() == [[7.0] * 4]


def test_load__many_threads__loads_once(load: Callable[[str], ModelSession]) -> None:
    calls, barrier = [], threading.Barrier(8)

    def slow(digest: str) -> ModelSession:
        calls.append(digest)
        time.sleep(0.05)
        return load(digest)

    pool = SessionPool(slow, 1_000)

    def ask(i: int) -> ModelSession:
        barrier.wait()
        return pool.load(f"plus{i % 2}")

    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(ask, range(8)))
    assert sorted(calls) == ["plus0", "plus1"]
    assert len(set(map(id, sessions))) == 2


def test_load__fails__all_waiters_get_the_error_and_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, barrier = [], threading.Barrier(4)

    def broken(digest: str) -> ModelSession:
        calls.append(digest)
        time.sleep(0.05)
        raise Unavailable("It is broken.", code="model_not_loadable", retry_after=9)

    pool = SessionPool(broken, 1_000)

    def ask(_: int) -> Unavailable:
        barrier.wait()
        with pytest.raises(Unavailable) as caught:
            pool.load("a")
        return caught.value

    with ThreadPoolExecutor(4) as threads:
        errors = list(threads.map(ask, range(4)))
    errors += [ask_again(pool) for _ in range(20)]
    assert len(calls) == 1
    assert {(error.message, error.code, error.retry_after) for error in errors} == {
        ("It is broken.", "model_not_loadable", 9)
    }
    assert len(set(map(id, errors))) == len(errors)
    assert pool.get("a") is None
    monkeypatch.setattr(pool_module, "monotonic", lambda: time.monotonic() + 6)
    ask_again(pool)
    assert len(calls) == 2


def ask_again(pool: SessionPool) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        pool.load("a")
    return caught.value


def test_load__fails_once__another_digest_is_not_held_up(load: Callable[[str], ModelSession]) -> None:
    def sometimes(digest: str) -> ModelSession:
        if digest == "bad":
            raise NotFound("Gone.", code="artifact_gone")
        return load(digest)

    pool = SessionPool(sometimes, 1_000)
    with pytest.raises(NotFound) as caught:
        pool.load("bad")
    assert (caught.value.code, caught.value.retry_after) == ("artifact_gone", 5)
    assert pool.load("plus1").run(X)[0].tolist() == [[1.0] * 4]


def test_load__loader_has_a_bug__unavailable_without_its_words() -> None:
    pool = SessionPool(lambda digest: {}[digest], 1_000)
    with pytest.raises(Unavailable) as caught:
        pool.load("/secret/path")
    assert (caught.value.code, caught.value.message) == ("model_not_loadable", "This version cannot be loaded now.")


def test_load__over_budget__drops_the_longest_unused(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 300)
    for digest in ("plus1", "plus2", "plus3"):
        pool.load(digest)
    assert pool.get("plus1") is not None
    pool.load("plus4")
    assert digests(pool) == ["plus1", "plus3", "plus4"]


def test_load__kept_ones_fill_the_budget__they_stay_and_so_does_the_one_asked_for(
    load: Callable[[str], ModelSession],
) -> None:
    pool = SessionPool(load, 250)
    pool.keep({"plus1", "plus2"})
    for digest in ("plus1", "plus2", "plus3", "plus4"):
        pool.load(digest)
    assert digests(pool) == ["plus1", "plus2", "plus4"]
    pool.keep({"plus4"})
    assert digests(pool) == ["plus2", "plus4"]
    pool.keep(set())
    assert digests(pool) == ["plus2", "plus4"]


def test_load__over_budget_and_a_live_one_idle__it_goes_when_no_other_can(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 250)
    pool.keep({"plus1", "plus2"})
    for digest in ("plus1", "plus2"):
        pool.load(digest)
    assert pool.is_full is False
    pool._entries["plus1"].last_used -= IDLE_SECONDS + 1
    pool.load("plus3")
    assert pool.is_full is False
    assert digests(pool) == ["plus2", "plus3"]
    pool.load("plus4")
    assert digests(pool) == ["plus2", "plus4"]


def test_load__bigger_than_the_whole_budget__served_and_then_first_to_go(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 50)
    pool.load("plus1")
    assert digests(pool) == ["plus1"]
    pool.load("plus2")
    assert digests(pool) == ["plus2"]


def test_drop__while_in_use__the_user_goes_on_and_then_it_is_freed(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 100)
    session = pool.load("plus1")
    watch = weakref.ref(session)
    pool.load("plus2")
    assert pool.get("plus1") is None
    assert session.run(X)[0].tolist() == [[1.0] * 4]
    del session
    gc.collect()
    assert watch() is None


def test_stats__after_use__runs_memory_and_time(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 1_000)
    before = time.time()
    pool.load("plus1")
    for _ in range(4):
        pool.get("plus1")
    (stat,) = pool.stats()
    assert (stat.digest, stat.memory_bytes, stat.runs) == ("plus1", 100, 5)
    assert before - 1 <= stat.last_used <= time.time() + 1


def test_pool__threads_get_load_and_keep_at_once__every_answer_is_right(load: Callable[[str], ModelSession]) -> None:
    pool = SessionPool(load, 250)

    def work(seed: int) -> bool:
        right = True
        for i in range(60):
            number = (seed * 7 + i) % 5
            session = pool.get(f"plus{number}") or pool.load(f"plus{number}")
            right &= session.run(X)[0].tolist() == [[float(number)] * 4]
            if i % 20 == 0:
                pool.keep({f"plus{number}"})
        return right

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert sum(stat.memory_bytes for stat in pool.stats()) <= 300


def test_stats__a_session_that_restarts__says_how_often(load: Callable[[str], ModelSession]) -> None:
    class Restarted(ModelSession):
        __slots__ = ()
        restarts = 3

    def restarted(digest: str) -> ModelSession:
        session = load(digest)._session
        assert session is not None
        return Restarted(session, PLUS, 100)

    for loader, expected in ((load, 0), (restarted, 3)):
        pool = SessionPool(loader, 1_000)
        pool.load("plus1")
        assert [stat.restarts for stat in pool.stats()] == [expected]
