"""What a process can still do once it is confined: tried in a process of its own, as there is no way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts import landlock
from tests.hostile_graphs import external_initializer

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, os, resource, socket, sys
from registry.artifacts.confine import confine
from registry.artifacts.limits import Limits
from registry.artifacts.probe import load

def outcome(act, *arguments):
    try:
        act(*arguments)
    except Exception as error:
        return type(error).__name__
    return "done"

server = socket.create_server(("127.0.0.1", 0))
leak = sys.stdin.buffer.read()
abi = confine(Limits(), 1000)
print(json.dumps({
    "abi": abi,
    "passwd": outcome(open, "/etc/passwd"),
    "secret": outcome(open, sys.argv[1]),
    "create": outcome(open, sys.argv[1] + ".new", "w"),
    "connect": outcome(socket.create_connection, server.getsockname()),
    "signal": outcome(os.kill, os.getppid(), 0),
    "leak": outcome(load, leak),
    "environment": dict(os.environ),
    "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0]
               for name in ("CORE", "FSIZE", "NOFILE", "STACK", "CPU")},
}))
"""

# The signal scope came with the sixth version of Landlock, the network with the fourth.
needs_landlock = pytest.mark.skipif((landlock.abi() or 0) < 6, reason="the kernel has no Landlock of version 6")


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, Any]:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(secret)],
        input=external_initializer(),
        cwd=ROOT,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "SECRET": "x", "ORT_DISABLE_TELEMETRY": "1"},
        check=True,
    )
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@needs_landlock
def test_confine__files_network_and_signals__refused(seen: dict[str, Any]) -> None:
    assert seen["abi"] == landlock.abi()
    doings = ("passwd", "secret", "create", "connect", "signal")
    assert {name: seen[name] for name in doings} == dict.fromkeys(doings, "PermissionError")


def test_confine__external_data_past_the_lint__not_read(seen: dict[str, Any]) -> None:
    assert seen["leak"] != "done"


def test_confine__environment_and_limits__as_set(seen: dict[str, Any]) -> None:
    assert seen["environment"] == {}
    assert seen["limits"] == {"CORE": 0, "FSIZE": 0, "NOFILE": 64, "STACK": 4 << 20, "CPU": 20}
