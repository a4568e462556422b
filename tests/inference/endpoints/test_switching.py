"""Promote, split, roll back: compare-and-set on the epoch, immutable revisions, one line of history."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, transaction

from inference.endpoints.services import create_endpoint, delete_endpoint
from inference.endpoints.switching import STABLE, WantedShare, promote, roll_back, set_split
from inference.models import Endpoint, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.routing.split import from_json, weights_of
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, VersionStatus
from tests import factories

pytestmark = pytest.mark.django_db


def fresh(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)


def live(endpoint: Endpoint) -> dict[str, tuple[int, int]]:
    split = fresh(endpoint).live_split
    assert split is not None
    shares = split.shares.select_related("variant__version")
    return {share.variant.key: (share.variant.version.number, share.weight_bp) for share in shares}


def facts() -> tuple[int, ...]:
    tables = (TrafficSplit, TrafficShare, SplitActivation, AuditEvent)
    return (*(table.objects.count() for table in tables), sum(Endpoint.objects.values_list("epoch", flat=True)))


# --- promote ----------------------------------------------------------------------------------------------------------


def test_promote__first_time__all_traffic_epoch_one_and_the_record() -> None:
    endpoint = factories.make_endpoint(promoted=None)
    alice = factories.principal("alice", "operator")
    switched = promote(alice, endpoint, factories.version_of(endpoint, 2), reason="it is better")
    assert (switched.changed, switched.endpoint.epoch) == (True, 1)
    assert live(endpoint) == {STABLE: (2, 10_000)}
    assert weights_of(from_json(fresh(endpoint).live_split.table)) == {STABLE: 10_000}  # type: ignore[union-attr]
    event = AuditEvent.objects.get(action="endpoint.promoted")
    assert (event.actor_name, event.reason, event.details["before"]) == ("alice", "it is better", None)
    assert event.details["after"]["shares"] == [{"variant": STABLE, "version": 2, "weight_bp": 10_000}]
    moved = SplitActivation.objects.get()
    assert (moved.kind, moved.epoch, moved.n_processes, moved.n_acknowledged) == ("promote", 1, 0, 0)


def test_promote__live_already__nothing_written() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    before = facts()
    switched = promote(SYSTEM, endpoint, factories.version_of(endpoint, 1), reason="again")
    assert (switched.changed, switched.endpoint.epoch) == (False, 1)
    assert facts() == before


@pytest.mark.parametrize("status", [VersionStatus.VALIDATING, VersionStatus.REJECTED, VersionStatus.ARCHIVED])
def test_promote__not_ready__conflict_and_nothing_moves(status: str) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    version = factories.make_version(endpoint.model, 99.0, status)
    before = facts()
    with pytest.raises(Conflict) as caught:
        promote(SYSTEM, endpoint, version, reason="x")
    assert caught.value.code == "version_not_ready"
    assert facts() == before


def test_promote__version_of_another_model__refused() -> None:
    endpoint, other = factories.make_endpoint(promoted=1), factories.make_endpoint()
    before = facts()
    with pytest.raises(InvalidInput) as caught:
        promote(SYSTEM, endpoint, factories.version_of(other, 1), reason="x")
    assert caught.value.code == "foreign_version"
    assert facts() == before


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "a\x00b", None])
def test_switch__no_proper_reason__refused(reason: str) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    before = facts()
    with pytest.raises(InvalidInput) as caught:
        promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason=reason)
    assert caught.value.code == "reason_required"
    assert facts() == before


@pytest.mark.parametrize(("role", "error"), [("viewer", NotAllowed), ("data_scientist", NotAllowed), (None, NotFound)])
def test_switch__no_right__refused_and_nothing_moves(role: str | None, error: type[Exception]) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    who = factories.principal("bob", role)
    before = facts()
    for act in (
        lambda: promote(who, endpoint, factories.version_of(endpoint, 2), reason="x"),
        lambda: set_split(who, endpoint, [WantedShare(STABLE, factories.version_of(endpoint, 2), 10_000)], reason="x"),
        lambda: roll_back(who, endpoint, reason="x"),
    ):
        with pytest.raises(error):
            act()
    assert facts() == before


# --- split ------------------------------------------------------------------------------------------------------------


def test_split__grown_and_shrunk__moves_only_the_difference() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    small = factories.split(endpoint, 1000)
    grown = factories.split(small, 3000)
    shrunk = factories.split(grown, 1000)
    tables = [fresh_table(small, 2), fresh_table(grown, 3), fresh_table(shrunk, 4)]
    canary = [{bucket for lo, hi, key in table if key == "canary" for bucket in range(lo, hi)} for table in tables]
    assert [len(buckets) for buckets in canary] == [1000, 3000, 1000]
    assert canary[0] < canary[1]
    assert canary[2] == canary[0]


def fresh_table(endpoint: Endpoint, revision: int) -> list[list[object]]:
    return list(TrafficSplit.objects.get(endpoint=endpoint, revision=revision).table)


@pytest.mark.parametrize("weights", [(9000,), (9000, 2000), (10_001,), (-1, 10_001), (0,)])
def test_split__weights_that_do_not_sum__refused(weights: tuple[int, ...]) -> None:
    endpoint = factories.make_endpoint(promoted=1)
    before = facts()
    version = factories.version_of(endpoint, 1)
    wanted = [WantedShare(f"arm-{number}", version, weight) for number, weight in enumerate(weights)]
    with pytest.raises(InvalidInput):
        set_split(SYSTEM, endpoint, wanted, reason="x")
    assert facts() == before


def test_split__variant_used_again__the_same_row() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    factories.split(factories.split(endpoint, 1000), 2000)
    assert Variant.objects.filter(endpoint=endpoint).count() == 2


@pytest.mark.parametrize("table", [TrafficSplit, TrafficShare])
def test_split__written__the_database_refuses_to_change_it(table: type[TrafficSplit] | type[TrafficShare]) -> None:
    factories.split(factories.make_endpoint(promoted=1), 1000)
    column = {"reason": "forged"} if table is TrafficSplit else {"weight_bp": 1}
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        table.objects.update(**column)  # type: ignore[arg-type]


# --- roll back --------------------------------------------------------------------------------------------------------


def test_roll_back__chain__each_to_the_one_before_until_none_is_left() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    factories.split(endpoint, 1000)
    factories.split(fresh(endpoint), 2000)
    assert roll_back(SYSTEM, fresh(endpoint), reason="1").endpoint.epoch == 4
    assert live(endpoint)["canary"] == (2, 1000)
    roll_back(SYSTEM, fresh(endpoint), reason="2")
    assert live(endpoint) == {STABLE: (1, 10_000)}
    with pytest.raises(Conflict) as caught:
        roll_back(SYSTEM, fresh(endpoint), reason="3")
    assert caught.value.code == "no_previous"
    assert TrafficSplit.objects.filter(endpoint=endpoint).count() == 3
    assert list(SplitActivation.objects.order_by("epoch").values_list("kind", flat=True)) == [
        "promote", "split", "split", "rollback", "rollback",
    ]  # fmt: skip


def test_roll_back__named_revision__forward_too() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    factories.split(endpoint, 1000)
    roll_back(SYSTEM, fresh(endpoint), reason="back")
    roll_back(SYSTEM, fresh(endpoint), reason="forward", revision=2)
    assert live(endpoint)["canary"] == (2, 1000)
    for revision, error, code in (
        (2, Conflict, "already_live"),
        (7, InvalidInput, "unknown_revision"),
        (0, InvalidInput, "unknown_revision"),
    ):
        with pytest.raises(error) as caught:
            roll_back(SYSTEM, fresh(endpoint), reason="x", revision=revision)
        assert caught.value.code == code


def test_roll_back__target_archived_meanwhile__conflict_and_nothing_moves() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="x")
    endpoint.model.versions.filter(number=1).update(status=VersionStatus.ARCHIVED)
    before = facts()
    with pytest.raises(Conflict):
        roll_back(SYSTEM, fresh(endpoint), reason="x")
    assert facts() == before


def test_roll_back__nothing_promoted_yet__conflict() -> None:
    with pytest.raises(Conflict):
        roll_back(SYSTEM, factories.make_endpoint(promoted=None), reason="x")


# --- compare and set --------------------------------------------------------------------------------------------------


def test_switch__stale_epoch__conflict_with_the_state_now() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    seen = fresh(endpoint)
    factories.split(fresh(endpoint), 1000)
    before = facts()
    for epoch in (None, 1):
        with pytest.raises(Conflict) as caught:
            promote(SYSTEM, seen, factories.version_of(endpoint, 2), reason="late", epoch=epoch)
        assert caught.value.code == "epoch_moved"
        assert caught.value.details["epoch"] == 2
        assert caught.value.details["live_split"]["revision"] == 2
    assert facts() == before


@pytest.mark.django_db(transaction=True)
def test_switch__six_at_once_from_one_state__exactly_one_wins() -> None:
    endpoint = factories.make_endpoint(promoted=1)
    versions = [factories.version_of(endpoint, number) for number in (1, 2)]
    begin = threading.Barrier(6)

    def act(number: int) -> str:
        seen = fresh(endpoint)
        begin.wait()
        try:
            if number % 2:
                wanted = [
                    WantedShare(STABLE, versions[0], 9000 - number),
                    WantedShare("canary", versions[1], 1000 + number),
                ]
                set_split(SYSTEM, seen, wanted, reason="x", epoch=1)
            else:
                promote(SYSTEM, seen, versions[1], reason="x", epoch=1)
        except Conflict as error:
            return error.code
        finally:
            connection.close()
        return "won"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(act, range(6)))
    assert outcomes == [*["epoch_moved"] * 5, "won"]
    assert fresh(endpoint).epoch == 2
    assert SplitActivation.objects.count() == TrafficSplit.objects.count() == 2


# --- endpoints --------------------------------------------------------------------------------------------------------


def test_endpoint__deleted__address_free_again_and_history_kept() -> None:
    endpoint = factories.make_endpoint("iris", promoted=1)
    delete_endpoint(SYSTEM, endpoint, reason="retired")
    assert TrafficSplit.objects.filter(endpoint=endpoint).exists()
    again = create_endpoint(SYSTEM, endpoint.model, "iris")
    assert again.pk != endpoint.pk
    with pytest.raises(Conflict) as caught:
        create_endpoint(SYSTEM, endpoint.model, "iris")
    assert caught.value.code == "slug_taken"
