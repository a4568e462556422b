"""Endpoints leave a quarantined version for the last healthy split that they had; promote onto it is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from inference.endpoints.switching import STABLE, WantedShare, promote, roll_back, set_split
from inference.models import Endpoint, Quarantine, SplitActivation
from inference.quarantine.services import quarantine
from inference.routing.convergence import bump_sequence
from portal.lib.errors import Conflict
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, VersionStatus
from tests import factories
from tests.factories import version_of

pytestmark = pytest.mark.django_db
WHY = "It is a test."


def fresh(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)


def live(endpoint: Endpoint) -> list[tuple[str, int, int]]:
    split = fresh(endpoint).live_split
    assert split is not None
    return list(split.shares.order_by("id").values_list("variant__key", "variant__version__number", "weight_bp"))


def go_to(endpoint: Endpoint, number: int) -> Endpoint:
    promote(SYSTEM, fresh(endpoint), version_of(endpoint, number), reason="a test")
    return fresh(endpoint)


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_fall_back__canary_quarantined__the_split_before_and_the_record() -> None:
    endpoint = factories.split(factories.make_endpoint("shop", promoted=1), 1_000)
    quarantine(version_of(endpoint, 2), WHY)
    assert live(endpoint) == [(STABLE, 1, 10_000)]
    now = fresh(endpoint)
    assert (now.epoch, now.live_split.revision, now.last_revision) == (3, 1, 2)  # type: ignore[union-attr]
    moved = SplitActivation.objects.get(kind="fallback")
    assert (moved.epoch, moved.actor, moved.actor_name) == (3, None, "system")
    assert moved.reason == "Version 2 is quarantined. It is a test."
    event = AuditEvent.objects.get(action="endpoint.fell_back")
    assert (event.object_name, event.actor_name, event.reason) == ("shop", "system", moved.reason)
    assert (event.details["before"]["revision"], event.details["after"]["revision"]) == (2, 1)


def test_fall_back__by_history_not_by_revision__the_split_that_was_live_last() -> None:
    endpoint = factories.make_endpoint(n_versions=3, promoted=1)
    go_to(endpoint, 2)
    roll_back(SYSTEM, fresh(endpoint), reason="back to 1")
    go_to(endpoint, 3)
    quarantine(version_of(endpoint, 3), WHY)
    assert live(endpoint) == [(STABLE, 1, 10_000)]


def test_fall_back__last_splits_unfit__passes_over_quarantined_and_archived_ones() -> None:
    endpoint = factories.make_endpoint(n_versions=4, promoted=1)
    for number in (2, 3, 4):
        go_to(endpoint, number)
    quarantine(version_of(endpoint, 3), WHY)
    old = version_of(endpoint, 2)
    old.status = VersionStatus.ARCHIVED
    old.save()
    quarantine(version_of(endpoint, 4), WHY)
    assert live(endpoint) == [(STABLE, 1, 10_000)]


def test_fall_back__split_that_names_the_version_without_weight__is_healthy() -> None:
    endpoint = factories.split(factories.make_endpoint(promoted=1), 0)
    endpoint = factories.split(endpoint, 500)
    quarantine(version_of(endpoint, 2), WHY)
    assert live(endpoint) == [(STABLE, 1, 10_000), ("canary", 2, 0)]


def test_fall_back__nothing_healthy__split_and_epoch_stay() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    quarantine(version_of(endpoint, 1), WHY)
    assert (live(endpoint), fresh(endpoint).epoch) == ([(STABLE, 1, 10_000)], 1)
    assert not AuditEvent.objects.filter(action="endpoint.fell_back").exists()
    assert Quarantine.objects.count() == 1


def test_fall_back__one_version_after_the_other__ends_where_one_is_left() -> None:
    endpoint = factories.make_endpoint(n_versions=3, promoted=1)
    for number in (2, 3):
        go_to(endpoint, number)
    for number in (3, 2, 1):
        quarantine(version_of(endpoint, number), WHY)
    assert (live(endpoint), fresh(endpoint).epoch) == ([(STABLE, 1, 10_000)], 5)


def test_fall_back__two_endpoints_of_the_model__those_that_give_it_traffic_only() -> None:
    endpoint = factories.make_endpoint("one", promoted=1)
    second = Endpoint.objects.create(project=endpoint.project, model=endpoint.model, slug="two")
    go_to(second, 1)
    go_to(endpoint, 2)
    quarantine(version_of(endpoint, 2), WHY)
    assert (fresh(endpoint).epoch, fresh(second).epoch) == (3, 1)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_switch__onto_a_quarantined_version__conflict_and_nothing_moves() -> None:
    endpoint = go_to(factories.make_endpoint(promoted=1), 2)
    bad = version_of(endpoint, 2)
    quarantine(bad, WHY)
    endpoint, before = fresh(endpoint), SplitActivation.objects.count()
    acts: list[Callable[[], object]] = [
        lambda: promote(SYSTEM, endpoint, bad, reason="x"),
        lambda: factories.split(endpoint, 1_000),
        lambda: roll_back(SYSTEM, endpoint, revision=2, reason="x"),
    ]
    for act in acts:
        with pytest.raises(Conflict) as caught:
            act()
        assert (caught.value.code, caught.value.details) == ("version_quarantined", {"version": 2})
        assert str(caught.value) == ("Version 2 is quarantined, as it killed its process: release it first.")
    assert (SplitActivation.objects.count(), live(endpoint)) == (before, [(STABLE, 1, 10_000)])


def test_split__takes_all_weight_from_a_quarantined_version__allowed() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    quarantine(version_of(endpoint, 1), WHY)
    wanted = [
        WantedShare(STABLE, version_of(endpoint, 2), 10_000),
        WantedShare("old", version_of(endpoint, 1), 0),
    ]
    set_split(SYSTEM, fresh(endpoint), wanted, reason="away from it")
    assert live(endpoint) == [(STABLE, 2, 10_000), ("old", 1, 0)]


@pytest.mark.django_db(transaction=True)
def test_promote__quarantined_while_it_waits_for_its_turn__refused() -> None:
    """The check before the transaction passed; the one under the lock sees what was committed meanwhile."""
    endpoint = factories.make_endpoint(promoted=1)
    begun = threading.Event()

    def late() -> str:
        begun.set()
        try:
            promote(SYSTEM, endpoint, version_of(endpoint, 2), reason="x")
            return "promoted"
        except Conflict as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            bump_sequence()
            outcome = pool.submit(late)
            begun.wait()
            quarantine(version_of(endpoint, 2), WHY)
        assert outcome.result(timeout=30) == "version_quarantined"
    assert live(endpoint) == [(STABLE, 1, 10_000)]
