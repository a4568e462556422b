from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from inference.runtime.isolated.starvation import is_starved
from tests.inference.runtime.isolated.made import eventually, is_running


@contextmanager
def program(text: str, niceness: int = 0) -> Iterator[int]:
    """One that has said that it runs, on the first processor this process may use."""
    lead = f"import os, time; os.nice({niceness}); os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}}); "
    with subprocess.Popen(
        [sys.executable, "-c", f"{lead}print(1, flush=True)\n{text}"], stdout=subprocess.PIPE
    ) as made:
        assert made.stdout is not None
        made.stdout.readline()
        try:
            yield made.pid
        finally:
            made.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has used")
def test_is_starved__others_take_the_processor__yes() -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(program("while True: pass"))
        assert is_starved(stack.enter_context(program("while True: pass", 19))) is True


def test_is_starved__does_not_want_to_run__no() -> None:
    with program("time.sleep(600)") as pid:
        eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S")
        assert is_starved(pid) is False
    assert (is_running(pid), is_starved(pid)) == (False, False)
