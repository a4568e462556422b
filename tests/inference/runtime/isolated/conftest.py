from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.runtime.deaths import Death
from inference.runtime.isolated.session import IsolatedSession
from registry.artifacts.signature import Signature
from tests.inference.runtime.isolated.made import LIMIT, PLUS, SHA256, Make


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
def make(tmp_path: Path, deaths: list[Death]) -> Iterator[Make]:
    """Sessions that are closed at the end."""
    sessions: list[IsolatedSession] = []

    def make_one(model: bytes, its: Signature = PLUS, *, limit: int = LIMIT) -> IsolatedSession:
        path = tmp_path / f"{len(sessions)}.onnx"
        path.write_bytes(model)
        session = IsolatedSession(
            path, its, memory_bytes=12_345, limit_bytes=limit, sha256=SHA256, on_death=deaths.append
        )
        sessions.append(session)
        return session

    yield make_one
    for session in sessions:
        session.close()
