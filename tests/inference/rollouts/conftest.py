"""Rollouts as rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.models import Endpoint, Rollout, ServingProcess
from inference.rollouts import evaluation
from inference.rollouts.services import create_rollout
from inference.rollouts.validation import validate
from registry.access.principal import SYSTEM, Principal
from tests import factories
from tests.inference.rollouts.made import QUICK, fresh_of


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation._provers.clear()


@pytest.fixture
def process(db: None) -> ServingProcess:
    """One that follows everything at once and has just told what it counted."""
    return ServingProcess.objects.create(
        id=uuid.uuid4(),
        host="here",
        pid=1,
        acknowledged=2**60,
        lease_expires_at=timezone.now() + timedelta(hours=1),
        counted_at=timezone.now() + timedelta(minutes=30),
    )


@pytest.fixture
def endpoint(db: None, process: ServingProcess) -> Endpoint:
    return factories.make_endpoint()


@pytest.fixture
def begin(endpoint: Endpoint) -> Callable[..., Rollout]:
    """A rollout in its first stage."""

    def make(who: Principal = SYSTEM, **plan: Any) -> Rollout:
        now = Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)
        rollout = create_rollout(who, now, {**QUICK, **plan})
        validate(rollout.pk)
        return fresh_of(rollout)

    return make
