"""What a serving process knows, when it knows it, and what it does without PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from inference.endpoints.services import delete_endpoint
from inference.endpoints.switching import promote
from inference.models import Endpoint, Quarantine, RoutingState, ServingProcess, WarmRequest
from inference.routing.convergence import bump_sequence
from inference.routing.snapshot import read_version, read_versions, version_ref
from inference.serving.follower import Follower
from inference.serving.sessions import session_pool
from registry.access.principal import SYSTEM
from registry.models import VersionStatus
from registry.services.artifacts import artifact_store
from tests import factories
from tests.inference.serving.watched import start_rollout

Follow = Callable[[], Follower]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# --- one step at a time, without the thread ---------------------------------------------------------------------------


def test_tick__first__knows_all_routes_and_has_their_sessions(serving: Follow) -> None:
    factories.make_endpoint("one", promoted=1)
    factories.split(factories.make_endpoint("two", promoted=1), 1000)
    factories.make_endpoint("idle", promoted=None)
    known = serving()
    assert set(known.routes) == {"one", "two", "idle"}
    assert known.sequence == RoutingState.objects.get(pk=1).sequence
    assert known.routes["idle"].split is None
    assert {key: target.version.number for key, target in known.routes["two"].targets.items()} == {
        "stable": 1,
        "canary": 2,
    }
    for target in known.routes["two"].targets.values():
        assert session_pool().get(target.version.sha256) is not None


def test_tick__switch__new_route_object_and_the_others_untouched(serving: Follow) -> None:
    endpoint, _other = factories.make_endpoint("one", promoted=1), factories.make_endpoint("two", promoted=1)
    before = dict(serving().routes)
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="x")
    after = serving().routes
    assert after["one"].targets["stable"].version.number == 2
    assert after["one"].epoch == 2
    assert after["two"] is before["two"]


def test_tick__shadow_and_the_version_before__loaded_and_kept_without_traffic(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", n_versions=4)
    shadow, before = (factories.version_of(endpoint, number) for number in (3, 4))
    session_pool().drop([shadow.sha256, before.sha256])
    Endpoint.objects.filter(pk=endpoint.pk).update(warm_version=before, warm_until=timezone.now() + timedelta(hours=1))
    start_rollout(endpoint, shadow_version=shadow, mirror_bp=1)
    (route,) = serving().routes.values()
    assert [version.number for version in route.versions(time.time())] == [1, 2, 3, 4]
    assert {shadow.sha256, before.sha256} <= session_pool()._kept
    assert session_pool().get(shadow.sha256) is not None
    assert session_pool().get(before.sha256) is not None


def test_tick__version_before_has_been_kept_for_long_enough__let_go_without_any_change(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", n_versions=2)
    before = factories.version_of(endpoint, 2)
    until_when = timezone.now() + timedelta(seconds=1)
    Endpoint.objects.filter(pk=endpoint.pk).update(warm_version=before, warm_until=until_when)
    serving()
    assert before.sha256 in session_pool()._kept
    time.sleep(max(0.0, (until_when - timezone.now()).total_seconds()) + 0.01)
    serving()
    assert before.sha256 not in session_pool()._kept


def test_tick__kept_version_is_quarantined__not_loaded(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", n_versions=2)
    before = factories.version_of(endpoint, 2)
    Endpoint.objects.filter(pk=endpoint.pk).update(warm_version=before, warm_until=timezone.now() + timedelta(hours=1))
    Quarantine.objects.create(version=before, reason="x", created_at=timezone.now())
    (route,) = serving().routes.values()
    assert [version.number for version in route.versions(time.time())] == [1]


def test_tick__endpoint_deleted__gone(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    assert "one" in serving().routes
    delete_endpoint(SYSTEM, endpoint, reason="x")
    assert "one" not in serving().routes


def test_tick__file_gone__failure_noted_and_the_rest_goes_on(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    serving()
    lost = factories.make_version(endpoint.model, 12345.0)
    artifact_store().delete(lost.sha256)
    WarmRequest.objects.create(version=lost, sequence=bump_sequence())
    known = serving()
    assert known.sequence == RoutingState.objects.get(pk=1).sequence
    assert set(known.failures) == {str(lost.pk)}
    assert "/" not in known.failures[str(lost.pk)]
    assert known.routes["one"].split is not None


def test_pinned__version_no_longer_ready__forgotten(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    known = serving()
    version = known.routes["one"].targets["stable"].version
    known.pin((endpoint.model_id, "1"), version)
    assert [found.id for found in serving().pinned.values()] == [version.id]
    endpoint.model.versions.filter(number=1).update(status=VersionStatus.ARCHIVED)
    assert serving().pinned == {}


def test_pinned__alias_moves__followed(serving: Follow) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    known = serving()
    alias = endpoint.model.aliases.create(name="champion", version=factories.version_of(endpoint, 1))
    key = (endpoint.model_id, "champion")
    known.pin(key, read_versions([key])[key])
    alias.version = factories.version_of(endpoint, 2)
    alias.save()
    assert serving().pinned[key].number == 2
    alias.delete()
    assert serving().pinned == {}


@pytest.mark.parametrize("name", ["0", "3", "99999999999", "-1", "١", "nobody", "x" * 300, "a\x00b", ""])
def test_read_version__no_such_number_or_alias__none(serving: Follow, name: str) -> None:
    assert read_version(factories.make_endpoint("one", promoted=1).model_id, name) is None


@pytest.mark.parametrize(
    ("size", "gain", "expected"),
    [(1, 5.0, 1.0), (16, 16.0, 0.01), (16, 8.0, 1 / 15), (11, 1.0, 1.0), (2, 4 / 3, 0.5)],
)
def test_version_ref__batching_was_measured__what_a_further_row_costs(
    db: None, size: int, gain: float, expected: float
) -> None:
    version = factories.make_version(factories.make_model(), 1.0)
    version.report = {"facts": {"run_seconds": 1.0, "batching": {"max_size": size, "gain": gain}}}
    assert version_ref(version).row_seconds == pytest.approx(expected)


# --- with its thread --------------------------------------------------------------------------------------------------


@pytest.fixture
def started(transactional_db: None) -> Iterator[Follower]:
    made = Follower()
    made.start()
    yield made
    made.stop()


def test_thread__switch__taken_and_acknowledged_by_all_before_promote_answers(started: Follower) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    switched = promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="x")
    assert (switched.converged.processes, switched.converged.acknowledged) == (1, 1)
    assert started.routes["one"].targets["stable"].version.number == 2
    row = ServingProcess.objects.get(pk=started.id)
    assert row.acknowledged >= Endpoint.objects.get(pk=endpoint.pk).changed_sequence


def test_thread__lease__held_renewed_and_given_back(started: Follower) -> None:
    until(started.holds_lease)
    rows = ServingProcess.objects.filter(pk=started.id, lease_expires_at__gt=Now())
    first = rows.get().lease_expires_at
    until(lambda: rows.get().lease_expires_at > first)
    started.stop()
    assert not ServingProcess.objects.filter(pk=started.id).exists()


def test_thread__connection_cut_by_the_server__comes_back_and_follows_on(started: Follower) -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    for _ in range(3):
        until(started.holds_lease)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        synced = started.synced_at
        until(lambda synced=synced: started.synced_at > synced)  # type: ignore[misc]
        assert started._thread.is_alive()
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="x")
    assert started.routes["one"].targets["stable"].version.number == 2


def test_thread__token_revoked__forgotten_within_a_tick(started: Follower) -> None:
    user = factories.make_user("alice", "viewer")
    row, secret = factories.token_for(user)
    assert started.callers.look_up(secret) is not None
    assert started.callers.get(secret) is not None
    type(row).objects.filter(pk=row.pk).update(revoked_at=Now())
    until(lambda: started.callers.get(secret) is None)
