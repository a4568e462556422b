from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from portal.local.child import Spec
from portal.local.console import CannotStart
from portal.local.paths import ROOT
from portal.local.supervisor import StopAsked, Supervisor

SLEEPER = "import time; time.sleep(600)"
# Appends its name to a file when it is asked to end, so that the order of ending can be read there.
POLITE = """
import signal, sys, time
def end(*_):
    open(sys.argv[2], "a").write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
open(sys.argv[2] + "." + sys.argv[1], "w").close()
time.sleep(600)
"""
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
# Starts a worker and leaves its process number in a file.
MASTER = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", {sleeper!r}])
open(sys.argv[1] + ".new", "w").write(str(worker.pid))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


def spec(name: str, folder: Path, code: str, *arguments: str, stop_seconds: float = 5.0) -> Spec:
    argv = (sys.executable, "-c", code, *arguments)
    return Spec(name=name, argv=argv, log=folder / f"{name}.log", stop_seconds=stop_seconds)


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_supervisor__child_killed__starts_it_again_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    child = supervisor.start(spec("web", tmp_path, SLEEPER))
    first = child.pid
    os.kill(first or 0, signal.SIGKILL)
    supervisor.wait_for(lambda: child.running and child.pid != first, 10, "the restart")
    supervisor.stop()
    assert said == [f"web ended with SIGKILL; starting it again in 0.5 s (log: {tmp_path}/web.log)."]
    assert not child.running


def test_supervisor__stop__ends_the_last_started_first(tmp_path: Path) -> None:
    order = tmp_path / "order"
    supervisor = Supervisor()
    for name in ("postgres", "web", "beat"):
        supervisor.start(spec(name, tmp_path, POLITE, name, str(order)))
        supervisor.wait_for((tmp_path / f"order.{name}").exists, 10, name)
    supervisor.stop()
    assert order.read_text() == "beat web postgres "


def test_supervisor__child_ignores_the_request__is_killed_after_its_time(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    child = supervisor.start(spec("worker", tmp_path, DEAF, str(tmp_path / "deaf"), stop_seconds=0.2))
    supervisor.wait_for((tmp_path / "deaf").exists, 10, "the child")
    supervisor.stop()
    assert said == ["worker takes too long to end; ending it at once."]
    assert child.status == "SIGKILL"


def test_supervisor__second_ctrl_c__does_not_wait_for_the_full_time(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda text: None)
    child = supervisor.start(spec("worker", tmp_path, DEAF, str(tmp_path / "deaf"), stop_seconds=600))
    supervisor.wait_for((tmp_path / "deaf").exists, 10, "the child")
    supervisor.n_stop_signals = 2
    supervisor.stop()
    assert child.status == "SIGKILL"


def test_supervisor__master_killed__its_workers_do_not_stay(tmp_path: Path) -> None:
    pid_file = tmp_path / "grandchild"
    code = MASTER.format(sleeper=SLEEPER)
    supervisor = Supervisor(lambda text: None)
    child = supervisor.start(spec("web", tmp_path, code, str(pid_file)))
    supervisor.wait_for(pid_file.exists, 10, "the grandchild")
    grandchild = int(pid_file.read_text())
    os.kill(child.pid or 0, signal.SIGKILL)
    eventually(lambda: not child.running)
    supervisor.tick()
    eventually(lambda: gone(grandchild))
    supervisor.stop()


def test_supervisor__child_that_cannot_start__gives_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda text: None)
    supervisor.start(spec("web", tmp_path, "import sys; sys.exit('no such port')"))
    with pytest.raises(CannotStart, match=r"web does not start \(it ended with status 1\)(.|\n)*no such port"):
        supervisor.wait_for(lambda: False, 30, "ever")
    supervisor.stop()


def test_supervisor__stop_signal_while_waiting__raises(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.n_stop_signals = 1
    with pytest.raises(StopAsked):
        supervisor.wait_for(lambda: False, 30, "ever")


def test_supervisor__waits_in_vain__names_what_it_waited_for(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="Waited 0 s for the moon in vain"):
        Supervisor().wait_for(lambda: False, 0, "the moon")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_child__parent_killed__dies_too(tmp_path: Path) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from portal.local.child import Child, Spec
child = Child(Spec("sleeper", (sys.executable, "-c", {SLEEPER!r}), Path(sys.argv[1]) / "sleeper.log"))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    parent.wait()
    eventually(lambda: gone(pid))


def test_child__large_log__is_moved_aside(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    supervisor = Supervisor()
    supervisor.start(spec("web", tmp_path, SLEEPER))
    supervisor.stop()
    assert (tmp_path / "web.log.1").stat().st_size == 10 * 1024 * 1024 + 1
    assert log.stat().st_size == 0
    assert log.stat().st_mode & 0o777 == 0o600
