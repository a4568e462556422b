"""What a model does to its process, and what is left of that."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inference.runtime.deaths import Death
from inference.runtime.isolated import conversation
from inference.runtime.isolated.session import IsolatedSession
from portal.lib.errors import DeadlineExceeded, Unavailable, Unprocessable
from tests import graphs, hostile_graphs
from tests.inference.runtime.isolated.made import (
    DIVISION,
    LIMIT,
    LOOP,
    PLUS,
    SHA256,
    SMALLEST,
    Make,
    eventually,
    is_running,
    open_descriptors,
    quotient_of,
    rows,
    signature,
    soon,
)

ROOT = Path(__file__).resolve().parents[4]
ONE = {"x": np.ones(1, np.float32)}
CRASHING = quotient_of(SMALLEST, -1)


def test_run__model_crashes__422_then_the_next_is_answered(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.division(), DIVISION)
    first = session.pid
    with pytest.raises(Unprocessable) as caught:
        session.run(CRASHING)
    assert (caught.value.code, "(SIGFPE)" in caught.value.message) == ("model_crashed", True)
    assert session.run(quotient_of(9, 3))[0].tolist() == [3]
    assert (session.restarts, session.pid != first) == (1, True)
    eventually(lambda: deaths)
    (death,) = deaths
    assert death[1:6] == (SHA256, "crashed", "SIGFPE", True, first)
    assert abs(death.at - time.time()) < 60


def test_run__model_crashes_twice__503_until_it_runs_again(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.division(), DIVISION)
    for _ in range(2):
        with pytest.raises(Unprocessable):
            session.run(CRASHING)
    with pytest.raises(Unavailable) as caught:
        session.run(quotient_of(9, 3))
    assert (caught.value.code, caught.value.retry_after) == ("model_restarting", 1)
    eventually(lambda: session.restarts == 2)
    assert session.run(quotient_of(9, 3))[0].tolist() == [3]
    assert len({death.key for death in deaths}) == 2


def test_run__endless_loop__504_at_the_deadline_and_the_process_lives(
    make: Make, deaths: list[Death], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "GRACE", 20.0)
    session = make(graphs.looping(2**62), LOOP)
    pid = session.pid
    with pytest.raises(DeadlineExceeded):
        session.run(ONE, deadline=soon(0.1))
    with pytest.raises(DeadlineExceeded):
        session.run(ONE, deadline=soon(0.1))
    assert (session.restarts, session.pid, deaths) == (0, pid, [])


def test_run__process_that_does_not_stop__killed_as_hung(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.add_constant())
    first = session.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        session.run(rows(), deadline=soon(0.05))
    assert session.run(rows(), deadline=soon())[0].tolist() == [[2.0] * 4]
    eventually(lambda: deaths)
    assert [death[1:6] for death in deaths] == [(SHA256, "hung", "", True, first)]


def test_run__hundred_gigabytes__422_and_the_process_lives(make: Make, deaths: list[Death]) -> None:
    session = make(hostile_graphs.huge_allocation())
    pid = session.pid
    with pytest.raises(Unprocessable) as caught:
        session.run(rows())
    assert caught.value.code == "model_out_of_memory"
    assert (session.pid, deaths) == (pid, [])


def test_run__text_that_grows_for_ever__422_within_its_limit(make: Make) -> None:
    its = signature([("t0", "BYTES", (-1,))], [("t40", "BYTES", (-1,))])
    session = make(hostile_graphs.growing_text(), its, limit=300 << 20)
    with pytest.raises(Unprocessable) as caught:
        session.run({"t0": np.array(["text"], object)})
    assert caught.value.code == "model_out_of_memory"


def test_run__input_over_the_limit__422(make: Make) -> None:
    session = make(graphs.add_constant(), limit=256 << 20)
    with pytest.raises(Unprocessable) as caught:
        session.run({"x": np.zeros((20_000_000, 4), np.float32)})
    assert caught.value.code == "model_out_of_memory"
    assert session.run(rows())[0].tolist() == [[2.0] * 4]


def test_session__crashes_while_it_is_loaded__503_and_a_death(make: Make, deaths: list[Death]) -> None:
    its = signature([("x", "FP32", (1, 1, 5, 5))], [("y", "FP32", (1, 1, 7, 7))])
    with pytest.raises(Unavailable) as caught:
        make(hostile_graphs.group_zero(), its)
    assert caught.value.code == "model_not_loadable"
    eventually(lambda: deaths)
    assert (deaths[0].cause, deaths[0].signal) == ("crashed", "SIGFPE")


def test_run__killed_between_runs__answered_by_the_next_and_no_death(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.add_constant())
    for _ in range(2):
        pid = session.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda gone=pid: session.pid != gone)
        eventually(lambda: _answers(session))
    assert (session.restarts, deaths) == (2, [])


def test_run__stopped_and_killed_before_it_read__answered_by_the_next(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.add_constant())
    pid = session.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(session.run, rows(), deadline=soon())
        time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        assert answer.result()[0].tolist() == [[2.0] * 4]
    assert deaths == []


def test_run__killed_while_it_runs__422_and_out_of_memory(make: Make, deaths: list[Death]) -> None:
    session = make(graphs.looping(2**62), LOOP)
    pid = session.pid
    assert pid is not None
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(session.run, ONE, deadline=soon())
        busy = _processor_time(pid) + 5
        eventually(lambda: _processor_time(pid) > busy)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unprocessable) as caught:
            answer.result()
    assert caught.value.code == "model_out_of_memory"
    eventually(lambda: deaths)
    assert [death[1:6] for death in deaths] == [(SHA256, "out_of_memory", "SIGKILL", True, pid)]


def test_run__threads_on_a_model_that_crashes__each_gets_an_answer_of_its_own(make: Make) -> None:
    session = make(graphs.division(), DIVISION)

    def ask(i: int) -> str:
        try:
            return str(session.run(CRASHING if i == 5 else quotient_of(2 * i, 2), deadline=soon())[0].tolist())
        except Unprocessable as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(40)))
    assert answers == ["model_crashed" if i == 5 else f"[{i}]" for i in range(40)]


def test_run__system_without_process_descriptors__watched_all_the_same(
    make: Make, deaths: list[Death], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    session = make(graphs.division(), DIVISION)
    with pytest.raises(Unprocessable):
        session.run(CRASHING)
    assert session.run(quotient_of(9, 3))[0].tolist() == [3]
    eventually(lambda: deaths)
    assert (deaths[0].signal, session.restarts) == ("SIGFPE", 1)


def test_parent__killed__its_process_is_gone(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(graphs.looping(2**62))
    program = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from tests.inference.runtime.isolated.made import LOOP, LIMIT, SHA256, soon\n"
        "from inference.runtime.isolated.session import IsolatedSession\n"
        "rest = {'memory_bytes': 1, 'limit_bytes': LIMIT, 'sha256': SHA256, 'on_death': print}\n"
        "session = IsolatedSession(sys.argv[1], LOOP, **rest)\n"
        "print(session.pid, flush=True)\n"
        "session.run({'x': numpy.ones(1, numpy.float32)}, deadline=soon(600))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "m.onnx")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    eventually(lambda: not is_running(pid))


def test_session__no_longer_referred_to__its_process_is_gone(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(graphs.add_constant())
    session = IsolatedSession(
        tmp_path / "m.onnx", PLUS, memory_bytes=1, limit_bytes=LIMIT, sha256=SHA256, on_death=print
    )
    pid = session.pid
    assert pid is not None
    del session
    gc.collect()
    eventually(lambda: not is_running(pid))


def test_session__many_runs_and_restarts__nothing_left_behind(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.runtime.isolated.backoff.BackOff.delay", lambda self, now: 0.0)
    session = make(graphs.division(), DIVISION)
    session.run(quotient_of(4, 2))
    before, shared = open_descriptors(), os.listdir("/dev/shm")
    for i in range(200):
        if i % 40 == 39:
            with pytest.raises(Unprocessable):
                session.run(CRASHING)
        count = 1 + 997 * (i % 11) ** 2
        (quotient,) = session.run({"a": np.full(count, 6), "b": np.full(count, 2)})
        assert quotient.shape == (count,)
    assert session.restarts == 5
    assert (open_descriptors(), sorted(os.listdir("/dev/shm"))) == (before, sorted(shared))
    session.close()
    eventually(lambda: open_descriptors() <= before - 4)


def test_session__large_memory_idle__given_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "IDLE_SECONDS", 0.0)
    session = make(graphs.add_constant())
    session.run({"x": np.ones((1_000_000, 4), np.float32)})
    process = session._supervisor.newest
    assert process is not None
    assert _shared_kilobytes(process.pid) > 30_000
    process.conversation.forget_if_idle()
    assert session.run(rows())[0].tolist() == [[2.0] * 4]
    assert _shared_kilobytes(process.pid) < 1_000


def test_session__its_process__own_group_last_in_line_and_without_our_environment(make: Make) -> None:
    session = make(graphs.add_constant())
    environment = Path(f"/proc/{session.pid}/environ").read_bytes()
    assert b"DATABASE_URL" not in environment
    assert os.getpgid(session.pid or 0) == session.pid
    assert os.getpriority(os.PRIO_PROCESS, session.pid or 0) == 15


def _answers(session: IsolatedSession) -> bool:
    try:
        return session.run(rows())[0].tolist() == [[2.0] * 4]
    except Unavailable:
        return False


def _processor_time(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _shared_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssShmem"))
