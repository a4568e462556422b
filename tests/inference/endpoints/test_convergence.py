"""A switch waits for every serving process with a running lease, and for no other."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from inference.endpoints.switching import promote
from inference.endpoints.warming import forget_old_requests, load_everywhere
from inference.models import Endpoint, RoutingState, ServingProcess, SplitActivation, WarmRequest
from inference.routing.convergence import bump_sequence, wait_until_taken
from portal.lib.errors import DeadlineExceeded, Unavailable
from registry.access.principal import SYSTEM
from tests import factories

pytestmark = pytest.mark.django_db


def process(acknowledged: int, lease_seconds: float = 60, **facts: object) -> ServingProcess:
    lease = timezone.now() + timedelta(seconds=lease_seconds)
    return ServingProcess.objects.create(
        id=uuid.uuid4(), host="here", pid=1, acknowledged=acknowledged, lease_expires_at=lease, **facts
    )


def test_wait__no_process__converged_at_once() -> None:
    state = wait_until_taken(7)
    assert (state.complete, state.processes, state.acknowledged) == (True, 0, 0)


def test_wait__all_took_it__counted() -> None:
    process(7)
    process(9)
    state = wait_until_taken(7)
    assert (state.complete, state.processes, state.acknowledged) == (True, 2, 2)


def test_wait__lease_run_out__not_waited_for() -> None:
    process(7)
    process(1, lease_seconds=-60)
    assert wait_until_taken(7).processes == 1


def test_wait__one_behind__says_so_after_the_limit() -> None:
    process(7)
    process(6)
    state = wait_until_taken(7, seconds=0.05)
    assert (state.complete, state.processes, state.acknowledged) == (False, 2, 1)


def test_bump__numbers_grow_by_one() -> None:
    first = bump_sequence()
    assert [bump_sequence(), bump_sequence()] == [first + 1, first + 2]
    assert RoutingState.objects.get(pk=1).sequence == first + 2


def test_promote__process_never_takes_it__504_says_it_is_committed(settings: object) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    sequence = RoutingState.objects.get(pk=1).sequence
    process(sequence + 1)  # takes the loading, and then nothing more
    settings.PORTAL_CONVERGENCE_SECONDS = 0.05  # type: ignore[attr-defined]
    with pytest.raises(DeadlineExceeded) as caught:
        promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="x")
    assert caught.value.code == "not_converged"
    assert caught.value.details["converged"]["acknowledged"] == 0
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == 2
    moved = SplitActivation.objects.get(epoch=2)
    assert (moved.n_processes, moved.n_acknowledged) == (1, 0)


def test_promote__process_cannot_load__503_with_the_reason_and_nothing_moves() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    version = factories.version_of(endpoint, 2)
    process(10**9, failures={str(version.pk): "The file is gone."})
    with pytest.raises(Unavailable) as caught:
        promote(SYSTEM, endpoint, version, reason="x")
    assert caught.value.code == "version_not_loadable"
    assert "The file is gone." in str(caught.value)
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == 1


def test_load_everywhere__nobody_answers_in_time__503_and_worth_another_try(settings: object) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    process(0)
    settings.PORTAL_CONVERGENCE_SECONDS = 0.05  # type: ignore[attr-defined]
    with pytest.raises(Unavailable) as caught:
        load_everywhere([factories.version_of(endpoint, 2)])
    assert (caught.value.code, bool(caught.value.retry_after)) == ("warming_timed_out", True)


def test_forget__old_requests_only() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    n_requests = WarmRequest.objects.count()
    WarmRequest.objects.update(created_at=timezone.now() - timedelta(hours=1))
    load_everywhere([factories.version_of(endpoint, 2)])
    forget_old_requests()
    assert n_requests > 0
    assert WarmRequest.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_wait__acknowledged_meanwhile__returns_then() -> None:
    row = process(1)

    def acknowledge() -> None:
        ServingProcess.objects.filter(pk=row.pk).update(acknowledged=2)
        connection.close()

    later = threading.Timer(0.1, acknowledge)
    later.start()
    state = wait_until_taken(2, seconds=20)
    later.join()
    assert state.complete
