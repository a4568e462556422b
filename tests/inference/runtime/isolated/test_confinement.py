"""What a model's process can still do once it is confined: tried in a process of its own, as there is no way back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts import landlock

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import json, os, resource, socket, sys, threading
from inference.runtime.isolated.confinement import confine, keep_in_memory

def outcome(act, *arguments):
    try:
        act(*arguments)
    except BaseException as error:
        return type(error).__name__
    return "done"

server = socket.create_server(("127.0.0.1", 0))
name = f"/proc/self/fd/{keep_in_memory(os.open(sys.argv[1], os.O_RDONLY))}"
abi = confine(256 << 20)
print(json.dumps({
    "abi": abi,
    "model": open(name, "rb").read().decode(),
    "file": outcome(open, sys.argv[1]),
    "passwd": outcome(open, "/etc/passwd"),
    "library": outcome(open, os.__file__),
    "create": outcome(open, sys.argv[1] + ".new", "w"),
    "program": outcome(os.execv, sys.executable, [sys.executable, "-c", "1"]),
    "connect": outcome(socket.create_connection, server.getsockname()),
    "signal": outcome(os.kill, os.getppid(), 0),
    "memory": outcome(bytearray, 450 << 20),
    "less memory": outcome(bytearray, 250 << 20),
    "thread": outcome(threading.Thread(target=int).start),
    "environment": dict(os.environ),
    "nice": os.nice(0),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
}))
"""
needs_landlock = pytest.mark.skipif((landlock.abi() or 0) < 6, reason="the kernel has no Landlock of version 6")


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, Any]:
    model = tmp_path / "model"
    model.write_text("the model")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(ran.stdout)


def test_confine__everywhere__no_environment_little_memory_last_in_line(seen: dict[str, Any]) -> None:
    assert (seen["environment"], seen["nice"], seen["core"]) == ({}, 15, 0)
    assert (seen["memory"], seen["less memory"], seen["thread"]) == ("MemoryError", "done", "done")
    assert (seen["model"], seen["library"], seen["create"] == "done") == ("the model", "done", False)


@needs_landlock
def test_confine__landlock__nothing_but_libraries(seen: dict[str, Any]) -> None:
    refused = {seen[name] for name in ("file", "passwd", "create", "program", "connect", "signal")}
    assert refused == {"PermissionError"}
