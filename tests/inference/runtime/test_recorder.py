from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.runtime.deaths import Death
from inference.runtime.recorder import SLOTS, Recorder, left_behind

ROOT = Path(__file__).resolve().parents[3]
ONE, TWO = bytes(range(32)), bytes(range(1, 33))
PROGRAM = """
import signal, sys, threading
from pathlib import Path
from inference.runtime.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]))
entered = []

def run(digest):
    recorder.slot().enter(bytes.fromhex(digest))
    entered.append(digest)
    threading.Event().wait()

threads = [threading.Thread(target=run, args=(digest,), daemon=True) for digest in sys.argv[2:]]
for thread in threads:
    thread.start()
while len(entered) < len(threads):
    pass
print("running", flush=True)
for line in sys.stdin:
    number, name = line.split()
    signal.pthread_kill(threads[int(number)].ident, signal.Signals[name])
recorder.close()
"""


def started(folder: Path, *digests: bytes) -> subprocess.Popen[bytes]:
    """A process that runs these, each in a thread of its own, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), *(digest.hex() for digest in digests)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    return process


def ended(process: subprocess.Popen[bytes], number: int) -> None:
    with process:
        process.send_signal(number)
        assert process.wait() == -number


def crashed(process: subprocess.Popen[bytes], thread: int, name: str) -> None:
    """A deadly signal meets that thread."""
    with process:
        assert process.stdin is not None
        process.stdin.write(f"{thread} {name}\n".encode())
        process.stdin.flush()
        assert process.wait() == -signal.Signals[name]


def what(deaths: list[Death]) -> list[tuple[str, str, str, bool, int]]:
    return [(death.sha256, death.cause, death.signal, death.isolated, death.pid) for death in deaths]


def test_left_behind__process_lives__nothing(tmp_path: Path) -> None:
    process = started(tmp_path, ONE)
    assert left_behind(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2
    ended(process, signal.SIGKILL)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL"])
def test_left_behind__crashed__what_that_thread_ran_once(tmp_path: Path, name: str) -> None:
    process = started(tmp_path, ONE, TWO, ONE)
    crashed(process, 1, name)
    deaths = left_behind(tmp_path)
    assert what(deaths) == [(TWO.hex(), "crashed", name, False, process.pid)]
    assert (left_behind(tmp_path), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_left_behind__ended_from_outside__nobody_is_to_blame(tmp_path: Path, number: int) -> None:
    ended(started(tmp_path, ONE, TWO), number)
    assert (left_behind(tmp_path), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize(("digests", "blamed"), [((ONE, ONE), [ONE.hex()]), ((ONE, TWO), [])])
def test_left_behind__thread_unknown__blamed_only_if_it_was_alone(
    tmp_path: Path, digests: tuple[bytes, ...], blamed: list[str]
) -> None:
    crashed(started(tmp_path, *digests), 0, "SIGSEGV")
    (fault,) = tmp_path.glob("*.fault")
    fault.write_text("Fatal Python error: Segmentation fault\n\nThread 0x00007f (most recent call first):\n")
    assert [death.sha256 for death in left_behind(tmp_path)] == blamed


def test_left_behind__ended_by_itself__nothing(tmp_path: Path) -> None:
    with started(tmp_path, ONE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
    assert list(tmp_path.iterdir()) == []


def test_left_behind__several_look_at_once__each_found_once(tmp_path: Path) -> None:
    processes = [started(tmp_path, ONE) for _ in range(4)]
    for process in processes:
        crashed(process, 0, "SIGSEGV")
    together = threading.Barrier(8)

    def look(_: int) -> list[Death]:
        together.wait()
        return left_behind(tmp_path)

    with ThreadPoolExecutor(8) as threads:
        found = [death for deaths in threads.map(look, range(8)) for death in deaths]
    assert sorted(death.pid for death in found) == sorted(process.pid for process in processes)


def test_left_behind__other_files__left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / f"12-{'0' * 32}").write_bytes(b"cut short")
    assert left_behind(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert left_behind(tmp_path / "nowhere") == []


def test_left_behind__machine_was_started_since__nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed(started(tmp_path, ONE), 0, "SIGSEGV")
    monkeypatch.setattr("inference.runtime.recorder._boot", lambda: b"another")
    assert left_behind(tmp_path) == []


def test_slot__enter_and_leave__in_the_file_at_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    path = recorder._path
    slot = recorder.slot()
    assert (recorder.slot() is slot, ONE in path.read_bytes()) == (True, False)
    slot.enter(ONE)
    assert path.read_bytes().count(ONE) == 1
    slot.leave()
    assert ONE not in path.read_bytes()
    recorder.close()
    slot.enter(ONE)
    assert list(tmp_path.iterdir()) == []


def test_slot__threads_come_and_go__their_slots_are_used_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    path = recorder._path
    for _ in range(SLOTS + 50):
        thread = threading.Thread(target=lambda: recorder.slot().enter(ONE))
        thread.start()
        thread.join()
    assert ONE not in path.read_bytes()
    recorder.slot().enter(TWO)
    assert path.read_bytes().count(TWO) == 1
    recorder.close()


def test_slot__more_threads_than_slots__the_others_record_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    path = recorder._path
    slots = [recorder._new_slot() for _ in range(SLOTS + 3)]
    for slot in slots:
        slot.enter(ONE)
    assert path.read_bytes().count(ONE) == SLOTS
    recorder.close()
