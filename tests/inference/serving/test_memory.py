from __future__ import annotations

import os
import signal

import psutil
import pytest

from inference.serving import memory
from inference.serving.memory import recycle_if_grown, resident_bytes


def test_resident_bytes__this_process__what_the_system_says() -> None:
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_recycle__grown_beyond_the_limit__asks_to_end_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(memory.os, "kill", lambda *what: sent.append(what))
    monkeypatch.setattr(memory, "_asked", False)
    assert recycle_if_grown(0, 0) is False
    assert recycle_if_grown(0, 1 << 60) is False
    assert recycle_if_grown(resident_bytes(), 1 << 20) is False  # its sessions explain what it holds
    assert recycle_if_grown(0, 1 << 20) is True
    assert recycle_if_grown(0, 1 << 20) is False
    assert sent == [(os.getpid(), signal.SIGTERM)]
