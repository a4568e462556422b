from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.services.artifacts import artifact_store
from tests.registry.services.upload_steps import incoming


@pytest.fixture
def no_stray_files() -> Iterator[None]:
    before = incoming()
    yield
    # What a test leaves open on purpose has a row, whose file is not stray.
    stray = {name for name in incoming() - before if not name.startswith("upload-")}
    for name in incoming() - before:
        (artifact_store().root / "incoming" / name).unlink()
    assert stray == set()
