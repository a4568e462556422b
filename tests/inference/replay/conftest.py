from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from inference.models import Endpoint, PredictionRecord, ReplayRun
from inference.replay.running import run_queued
from inference.replay.services import start_replay
from registry.access.principal import SYSTEM
from tests import factories

Capture = Callable[..., None]
# Other bytes than stable's, and an answer within the tolerance.
ALIKE = 10.000001
ONE_ROW = {"name": "x", "shape": [1, 4], "datatype": "FP32"}


def request_of(*values: float) -> dict[str, Any]:
    return {"inputs": [{**ONE_ROW, "data": list(values)}]}


def capture(endpoint: Endpoint, *bodies: Any) -> None:
    for place, body in enumerate(bodies):
        PredictionRecord.objects.create(
            request_id=f"r{place}",
            endpoint=endpoint,
            version=factories.version_of(endpoint, 1),
            variant="stable",
            at=timezone.now(),
            inputs=body if isinstance(body, str) else json.dumps(body),
        )


def replay(endpoint: Endpoint, candidate: int = 2, data: bytes | None = None, **wanted: Any) -> ReplayRun:
    """Started and carried out."""
    file = None if data is None else SimpleUploadedFile("requests.jsonl", data)
    run = start_replay(SYSTEM, endpoint, candidate, file=file, **wanted)
    run_queued(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def endpoint() -> Endpoint:
    """Version 1 is live and answers x + 10."""
    return factories.make_endpoint("shop", n_versions=1)
