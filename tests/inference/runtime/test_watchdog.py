from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from inference.runtime.session import ModelSession, load_session
from inference.runtime.watchdog import Watchdog
from portal.lib.errors import DeadlineExceeded, Unavailable, Unprocessable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

ENDLESS = 1 << 40
ROW = {"x": np.zeros(3, np.float32)}
Soon = Callable[[Callable[[], bool]], None]


@pytest.fixture
def endless(tmp_path: Path) -> ModelSession:
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.looping(ENDLESS))
    return load_session(path, Signature((TensorSpec("x", "FP32", (-1,)),), (TensorSpec("y", "FP32", (-1,)),)))


@pytest.fixture
def soon() -> Soon:
    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "it never came about"
            time.sleep(0.002)

    return wait


def test_run__endless_loop__ends_at_the_deadline(endless: ModelSession) -> None:
    for _ in range(2):
        with pytest.raises(DeadlineExceeded) as caught:
            endless.run(ROW, deadline=time.monotonic() + 0.02)
        assert (caught.value.status, caught.value.code) == (504, "deadline_exceeded")


def test_run__deadline_is_past__not_begun(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.gather(3))
    index, y = TensorSpec("index", "INT64", (-1,)), TensorSpec("y", "FP32", (-1, 2))
    session = load_session(path, Signature((index,), (y,)))
    with pytest.raises(DeadlineExceeded):
        session.run({"index": np.array([99])}, deadline=time.monotonic())
    with pytest.raises(Unprocessable):
        session.run({"index": np.array([99])}, deadline=time.monotonic() + 30)
    assert session.run({"index": np.array([1])}, ("y",), deadline=time.monotonic() + 30)[0].tolist() == [[2.0, 3.0]]


def test_close__then_run__unavailable(endless: ModelSession) -> None:
    endless.close()
    endless.close()
    for deadline in (None, time.monotonic() + 30):
        with pytest.raises(Unavailable) as caught:
            endless.run(ROW, deadline=deadline)
        assert caught.value.code == "model_unloaded"


def test_watchdog__ended_in_time__not_terminated(soon: Soon) -> None:
    dog, done, late = Watchdog(), ort.RunOptions(), ort.RunOptions()
    dog.begin(done, time.monotonic() + 0.01)
    dog.end(done)
    dog.begin(late, time.monotonic() + 0.02)
    soon(lambda: late.terminate)
    assert not done.terminate
    dog.end(late)


def test_watchdog__a_short_deadline_after_a_long_one__ends_first(soon: Soon) -> None:
    dog, long, short = Watchdog(), ort.RunOptions(), ort.RunOptions()
    dog.begin(long, time.monotonic() + 600)
    dog.begin(short, time.monotonic() + 0.01)
    soon(lambda: short.terminate)
    assert not long.terminate


def test_watchdog__after_a_fork__ends_runs_in_the_child(endless: ModelSession) -> None:
    with pytest.raises(DeadlineExceeded):
        endless.run(ROW, deadline=time.monotonic() + 0.01)
    child = os.fork()
    if child == 0:
        try:
            endless.run(ROW, deadline=time.monotonic() + 0.01)
        except DeadlineExceeded:
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
