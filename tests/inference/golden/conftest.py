from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.golden import asking
from inference.golden.running import run_golden
from inference.models import Endpoint, GoldenRequest, ServingProcess
from tests import factories

Rung = list[tuple[Any, ...]]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Rung:
    """Does what a worker would, at once and on the test's own connection. What it was rung for."""
    rung: Rung = []

    def ring(task: str, version_id: int, occasion: str, queue: str) -> None:
        rung.append((task, version_id, occasion, queue))
        run_golden(version_id, occasion)

    monkeypatch.setattr(asking, "ring", ring)
    return rung


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    """Version 1 is live and answers x + 10, version 2 x + 20. One process follows everything at once."""
    ServingProcess.objects.create(
        id=uuid.uuid4(),
        host="here",
        pid=1,
        acknowledged=2**60,
        lease_expires_at=timezone.now() + timedelta(hours=1),
        counted_at=timezone.now() + timedelta(minutes=30),
    )
    return factories.make_endpoint("shop", n_versions=2)


@pytest.fixture
def golden(endpoint: Endpoint) -> GoldenRequest:
    """Version 1 passes it, version 2 does not."""
    return factories.make_golden(endpoint.model, name="ones", recorded_from=factories.version_of(endpoint, 1))
