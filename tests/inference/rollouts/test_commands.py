"""What persons do to a rollout, and that of two exactly one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections

from inference.endpoints.switching import promote as promote_by_hand
from inference.models import Endpoint, Rollout, RolloutEvent, ServingProcess, SplitActivation
from inference.rollouts import controller
from inference.rollouts.services import abort, advance, pause, promote, rehearse, resume, roll_back
from inference.rollouts.watchdog import Watchdog
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, PortalError
from registry.access.principal import SYSTEM, principal_of_user
from registry.models import AuditEvent
from tests import factories
from tests.inference.rollouts.made import count, fresh_of, pairs, tick

Begin = Callable[..., Rollout]


def test_pause_and_resume__keep_the_stage_and_its_traffic(begin: Begin) -> None:
    rollout = begin()
    epoch = rollout.endpoint.epoch
    pause(SYSTEM, rollout, reason="lunch")
    count(rollout, (500, 0), (4_500, 0))
    rollout = tick(rollout)
    assert (rollout.state, rollout.position) == ("paused", 0)
    resume(SYSTEM, rollout, reason="back")
    rollout = fresh_of(rollout)
    assert (rollout.state, rollout.endpoint.epoch) == ("canary", epoch)
    assert tick(rollout).position == 1


def test_advance_and_promote__skip_the_gate__and_are_on_the_record(begin: Begin) -> None:
    rollout = begin()
    advance(SYSTEM, rollout, reason="I know it")
    rollout = fresh_of(rollout)
    assert (rollout.state, rollout.position) == ("canary", 1)
    promote(SYSTEM, rollout, reason="enough")
    rollout = fresh_of(rollout)
    assert rollout.state == "promoted"
    assert list(rollout.events.order_by("number").values_list("event", "reason"))[-2:] == [
        ("advance", "I know it"),
        ("promote", "enough"),
    ]


def test_advance__through_all_stages__ends_promoted(begin: Begin) -> None:
    rollout = begin()
    for _ in range(3):
        rollout = fresh_of(rollout)
        advance(SYSTEM, rollout, reason="on")
    assert fresh_of(rollout).state == "promoted"


def test_abort__from_every_state__brings_back_what_was_live(begin: Begin) -> None:
    rollout = begin(shadow={"n_min": 10, "seconds": 0})
    pairs(rollout, 400, 0)
    ways = {
        "shadow": lambda: None,
        "paused": lambda: pause(SYSTEM, fresh_of(rollout), reason="x"),
        "canary": lambda: tick(rollout),
        "holdback": lambda: [advance(SYSTEM, fresh_of(rollout), reason="x") for _ in range(3)],
    }
    for state, way in ways.items():
        way()
        assert fresh_of(rollout).state == state
        abort(SYSTEM, fresh_of(rollout), reason="no more")
        rollout = fresh_of(rollout)
        assert (rollout.state, rollout.why) == ("aborted", "no more")
        assert rollout.endpoint.live_split_id == rollout.base_split_id
        rollout = begin(shadow={"n_min": 10, "seconds": 0}, force=True)
        if state == "paused":
            pairs(rollout, 400, 0)


@pytest.mark.parametrize("command", [pause, resume, advance, promote, abort])
def test_command__after_the_end__409_and_nothing_written(begin: Begin, command: Callable[..., Any]) -> None:
    rollout = begin()
    abort(SYSTEM, rollout, reason="x")
    rollout = fresh_of(rollout)
    n_events, epoch = RolloutEvent.objects.count(), rollout.endpoint.epoch
    with pytest.raises(Conflict) as refused:
        command(SYSTEM, rollout, reason="x")
    assert refused.value.code == "wrong_state"
    assert (RolloutEvent.objects.count(), Endpoint.objects.get(pk=rollout.endpoint_id).epoch) == (n_events, epoch)


def test_command__without_reason_right_or_sight__refused(begin: Begin) -> None:
    rollout = begin()
    with pytest.raises(InvalidInput):
        pause(SYSTEM, rollout, reason="")
    with pytest.raises(NotAllowed):
        pause(factories.principal("bob", "viewer"), rollout, reason="x")
    with pytest.raises(NotFound):
        abort(factories.principal("charlie"), rollout, reason="x")
    assert fresh_of(rollout).lock_version == rollout.lock_version


def test_command__on_an_older_version_of_it__409_with_the_state_now(begin: Begin) -> None:
    rollout = begin()
    pause(SYSTEM, fresh_of(rollout), reason="x")
    for act in (
        lambda: abort(SYSTEM, fresh_of(rollout), reason="x", lock_version=2),
        lambda: advance(SYSTEM, rollout, reason="x"),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "rollout_moved"
        assert refused.value.details["state"] == "paused"


def test_evidence_of_harm__takes_a_second_person_or_force(begin: Begin) -> None:
    alice = factories.principal("alice", "operator")
    rollout = begin(alice)
    count(rollout, (20, 2), (180, 0))
    rollout = tick(rollout)
    assert rollout.state == "hold"
    with pytest.raises(NotAllowed) as refused:
        advance(alice, rollout, reason="x")
    assert refused.value.code == "second_person_needed"
    with pytest.raises(NotAllowed):
        resume(alice, fresh_of(rollout), reason="x")
    resume(factories.principal("ann", "operator"), fresh_of(rollout), reason="looked at it")
    marked = fresh_of(rollout).events.first()
    assert marked.evidence["against_evidence"]
    rollout = tick(rollout)
    assert rollout.state == "hold"
    advance(alice, rollout, reason="x", force=True)
    assert fresh_of(rollout).events.first().evidence["forced"]


def test_roll_back__one_act__aborts_while_it_runs_and_restores_after_promotion(begin: Begin) -> None:
    rollout = begin()
    switched = roll_back(SYSTEM, rollout.endpoint, reason="back")
    assert fresh_of(rollout).state == "aborted"
    assert switched.endpoint.live_split_id == rollout.base_split_id
    again = begin(force=True)
    promote(SYSTEM, again, reason="x")
    switched = roll_back(SYSTEM, fresh_of(again).endpoint, reason="back")
    assert switched.endpoint.live_split_id == again.base_split_id
    assert fresh_of(again).state == "promoted"
    assert SplitActivation.objects.filter(endpoint=again.endpoint).first().kind == "rollback"


def test_roll_back__to_a_step_of_a_rollout__refused(begin: Begin) -> None:
    rollout = begin()
    revision = rollout.endpoint.live_split.revision
    abort(SYSTEM, rollout, reason="x")
    with pytest.raises(Conflict) as refused:
        roll_back(SYSTEM, fresh_of(rollout).endpoint, reason="x", revision=revision)
    assert refused.value.code == "revision_not_restorable"


def test_retry__of_the_same_pair__goes_on_from_its_evidence(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (20, 1), (180, 0))
    rollout = tick(rollout)
    before = rollout.runs.last().ln_e["errors"]
    abort(SYSTEM, rollout, reason="x")
    again = begin()
    assert again.inherits_id == rollout.pk
    count(again, (1, 0), (9, 0))
    assert tick(again).runs.last().ln_e["errors"] == pytest.approx(before, abs=0.02)
    abort(SYSTEM, fresh_of(again), reason="x")
    forced = begin(force=True)
    assert forced.inherits_id is None


def test_retry__after_a_roll_back_on_evidence__refused_unless_forced(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (100, 20), (900, 1))
    assert tick(rollout).state == "rolled_back"
    with pytest.raises(Conflict) as refused:
        begin()
    assert refused.value.code == "proven_harmful"
    assert begin(force=True).state == "canary"


def test_rehearse__measures_and_moves_nothing(begin: Begin) -> None:
    rollout = begin()
    found = rehearse(SYSTEM, rollout.endpoint)
    assert (found.processes, found.acknowledged) == (1, 1)
    endpoint = Endpoint.objects.get(pk=rollout.endpoint_id)
    assert (endpoint.epoch, endpoint.live_split_id) == (rollout.endpoint.epoch, rollout.endpoint.live_split_id)
    assert endpoint.rehearsal["acknowledged"] == 1
    assert AuditEvent.objects.filter(action="endpoint.rehearsed").exists()


def test_rehearse__nothing_to_go_back_to__409(endpoint: Endpoint) -> None:
    with pytest.raises(Conflict) as refused:
        rehearse(SYSTEM, endpoint)
    assert refused.value.code == "no_previous"


def test_watchdog__nobody_judges__holds_then_rolls_back_on_its_own_clock(begin: Begin) -> None:
    rollout = begin()
    dog = Watchdog()
    dog.look(1_000.0)
    dog.look(1_059.0)
    assert fresh_of(rollout).state == "canary"
    dog.look(1_060.5)
    assert fresh_of(rollout).state == "hold"
    dog.look(1_899.0)
    assert fresh_of(rollout).state == "hold"
    dog.look(1_901.0)
    rollout = fresh_of(rollout)
    assert rollout.state == "rolled_back"
    assert "Nobody has judged" in rollout.why


def test_watchdog__somebody_judges__leaves_it_alone(begin: Begin) -> None:
    rollout = begin()
    dog = Watchdog()
    for now in (0.0, 50.0, 100.0, 150.0):
        controller.tick()
        dog.look(now)
    assert fresh_of(rollout).state == "canary"


# --- races ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_race__two_persons_and_the_controller__one_winner_each_and_a_linear_history() -> None:
    from datetime import timedelta
    from uuid import uuid4

    from django.utils import timezone

    ServingProcess.objects.create(
        id=uuid4(),
        host="here",
        pid=1,
        acknowledged=2**60,
        lease_expires_at=timezone.now() + timedelta(hours=1),
        counted_at=timezone.now() + timedelta(minutes=30),
    )
    alice = principal_of_user(factories.make_user("alice", "operator"))
    endpoint = factories.make_endpoint()
    for _ in range(12):
        _one_race(alice, endpoint)


def _one_race(alice: Any, endpoint: Endpoint) -> None:
    from inference.rollouts.services import create_rollout
    from inference.rollouts.validation import validate
    from tests.inference.rollouts.made import QUICK

    endpoint = Endpoint.objects.get(pk=endpoint.pk)
    rollout = create_rollout(alice, endpoint, {**QUICK, "force": True})
    validate(rollout.pk)
    rollout = fresh_of(rollout)
    count(rollout, (100, 20), (900, 1))
    outcomes: list[str] = []
    ready = threading.Barrier(3)

    def act(name: str, do: Callable[[], Any]) -> None:
        ready.wait()
        try:
            do()
            outcomes.append(name)
        except PortalError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    seen = [fresh_of(rollout), fresh_of(rollout)]
    threads = [
        threading.Thread(target=act, args=("abort", lambda: abort(alice, seen[0], reason="x"))),
        threading.Thread(target=act, args=("promote", lambda: promote(alice, seen[1], reason="x", force=True))),
        threading.Thread(target=act, args=("tick", controller.tick)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rollout = fresh_of(rollout)
    events = list(rollout.events.order_by("number").values_list("number", "state_from", "state_to"))
    assert [number for number, _from, _to in events] == list(range(1, len(events) + 1))
    assert all(before[2] == after[1] for before, after in pairwise(events))
    assert rollout.state in ("aborted", "promoted", "rolled_back"), outcomes
    winners = {"aborted": "abort", "promoted": "promote"}
    assert [name for name in outcomes if name in ("abort", "promote")] == (
        [winners[rollout.state]] if rollout.state in winners else []
    )
    live = Endpoint.objects.get(pk=endpoint.pk)
    if rollout.state == "promoted":
        promote_by_hand(alice, live, factories.version_of(live, 1), reason="back")
    else:
        assert live.live_split_id == rollout.base_split_id
