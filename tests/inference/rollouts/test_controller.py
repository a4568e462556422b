"""From windows of counts to decisions, through the database: the controller, its ledger and the replay of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from math import log
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from inference.analysis.guardrails import Batch, Evidence
from inference.models import (
    BadUnit,
    Endpoint,
    EvidenceBatch,
    EvidenceWindow,
    MetricWindow,
    Rollout,
    RuntimeDeath,
    SplitActivation,
)
from inference.quarantine.services import quarantine
from inference.rollouts import controller, evaluation, steps
from inference.rollouts.outlook import evidence_json, headline, next_of
from inference.rollouts.replaying import replay
from inference.rollouts.transitions import Transition
from registry.access.principal import SYSTEM
from registry.models import Notification
from tests.inference.rollouts.made import count, fresh_of, pairs, tick

Begin = Callable[..., Rollout]


def test_healthy__enough_requests__walks_through_every_stage(begin: Begin) -> None:
    rollout = begin()
    assert tick(rollout).state == "canary"
    seen = []
    for arms in [((500, 0), (4_500, 2)), ((2_500, 1), (2_500, 1)), ((4_750, 2), (250, 0))]:
        count(rollout, *arms)
        rollout = tick(rollout)
        seen.append((rollout.state, rollout.position))
        if rollout.has_ended:
            break
    assert seen == [("canary", 1), ("holdback", 2), ("promoted", 2)]
    shares = rollout.endpoint.live_split.shares.values_list("variant__key", "variant__version__number", "weight_bp")
    assert list(shares) == [("stable", 2, 10_000)]
    assert all(one.again == one.run.event and not one.differs for one in replay(rollout))
    assert rollout.stages.filter(ended_at=None).count() == 0
    assert Notification.objects.order_by("pk").last().event == "rollout.promoted"


def test_failing__evidence_of_errors__goes_back_and_names_it(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (100, 20), (900, 1))
    rollout = tick(rollout)
    assert (rollout.state, rollout.state_before) == ("rolled_back", "rolled_back")
    assert "errors" in rollout.why
    assert rollout.endpoint.live_split_id == rollout.base_split_id
    last = SplitActivation.objects.filter(endpoint=rollout.endpoint).first()
    assert last.kind == SplitActivation.Kind.ROLL_BACK
    run = rollout.runs.get(event="roll_back")
    again = Evidence(1.0)
    for row in EvidenceBatch.objects.filter(rollout=rollout):
        again.add(Batch(row.stage, row.guardrail, row.n_c, row.n_s, row.k_c, row.k_s))
    assert run.ln_e["errors"] == pytest.approx(again.ln_e["errors"])
    assert run.ln_e["errors"] > log(400)
    assert [event.event for event in rollout.events.order_by("number")] == [
        "start",
        "advance",
        "roll_back",
        "rolled_back",
    ]
    assert all(one.again == one.run.event and not one.differs for one in replay(rollout))


def test_no_traffic__many_looks__nothing_happens(begin: Begin) -> None:
    rollout = begin()
    for _ in range(5):
        rollout = tick(rollout)
    assert (rollout.state, rollout.position, rollout.seq) == ("canary", 0, 0)
    assert not EvidenceBatch.objects.exists()


def test_late_window_of_an_earlier_stage__counts_for_that_stage(begin: Begin) -> None:
    rollout = begin()
    late = count(rollout, (0, 0), (0, 0))
    count(rollout, (500, 0), (4_000, 0))
    rollout = tick(rollout)
    assert rollout.position == 1
    EvidenceWindow.objects.filter(pk=late.pk).update(taken=None, n=50)
    count(rollout, (70, 0), (70, 0))
    rollout = tick(rollout)
    found = EvidenceBatch.objects.filter(rollout=rollout, seq=2, guardrail="errors").values_list("stage", "n_c")
    assert sorted(found) == [(0, 50.0), (1, 70.0)]


def test_window__looked_at_twice__is_taken_once(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (10, 0), (90, 0))
    tick(rollout)
    rollout = tick(rollout)
    assert rollout.seq == 1
    assert EvidenceBatch.objects.get(rollout=rollout, guardrail="errors").n_c == 10


def test_keyed__first_bad_answer_of_each_key_counts_once_beside_the_weights(begin: Begin) -> None:
    rollout = begin()
    units = [[7, 10, 4, 0.1], [8, 5, 0, 0.1], [9, 3, 3, 0.1]]
    count(rollout, (18, 7), (0, 0), is_keyed=True, units=units)
    tick(rollout)
    count(rollout, (4, 2), (0, 0), is_keyed=True, units=[[7, 4, 2, 0.1], [11, 1, 1, 0.1]])
    rollout = tick(rollout)
    rows = EvidenceBatch.objects.filter(rollout=rollout, guardrail="errors.keyed").order_by("seq")
    assert [(row.n_c, row.n_s, row.k_c, row.k_s) for row in rows] == [(1_000, 9_000, 2, 0), (1_000, 9_000, 1, 0)]
    assert set(BadUnit.objects.values_list("unit", flat=True)) == {7, 9, 11}
    asked = EvidenceBatch.objects.filter(rollout=rollout, guardrail="errors.requests").order_by("seq")
    assert [(row.n_c, row.k_c) for row in asked] == [(18, 7), (4, 2)]


def test_hold__evidence_then_calm__goes_on_where_it_was(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (20, 2), (180, 0))
    rollout = tick(rollout)
    assert (rollout.state, rollout.state_before, rollout.position) == ("hold", "canary", 0)
    assert next_of(rollout).code == "hold"
    assert "Holding" in headline(rollout)
    for _ in range(2):
        count(rollout, (30, 0), (270, 6))
        rollout = tick(rollout)
    assert (rollout.state, rollout.position) == ("canary", 0)
    assert [event.event for event in rollout.events.order_by("number")][-2:] == ["hold", "resume"]
    assert all(one.again == one.run.event for one in replay(rollout))


def test_hold__telemetry_silent__no_decision_on_old_news(begin: Begin, process: Any) -> None:
    rollout = begin()
    count(rollout, (500, 0), (4_000, 0))
    process.counted_at = timezone.now() - timedelta(seconds=61)
    process.save()
    rollout = tick(rollout)
    assert rollout.state == "hold"
    assert "tell what it counts" in rollout.events.first().sentence


def test_shadow__agreement_certified__then_canary(begin: Begin) -> None:
    rollout = begin(shadow={"n_min": 200, "seconds": 0})
    assert (rollout.state, rollout.endpoint.live_split.shadow_version_id) == ("shadow", rollout.candidate_id)
    pairs(rollout, 300, 1)
    rollout = tick(rollout)
    assert (rollout.state, rollout.position) == ("canary", 1)
    assert rollout.endpoint.live_split.shadow_version_id is None


def test_shadow__disagrees__rolled_back_without_any_live_traffic(begin: Begin) -> None:
    rollout = begin(shadow={"n_min": 200, "seconds": 0})
    pairs(rollout, 300, 60, flips=60)
    rollout = tick(rollout)
    assert rollout.state == "rolled_back"
    assert "disagreement" in rollout.why


def test_shadow__difference_expected__only_failures_count(begin: Begin) -> None:
    rollout = begin(shadow={"n_min": 200, "seconds": 0}, expects_difference=True)
    pairs(rollout, 300, 290, flips=290)
    rollout = tick(rollout)
    assert rollout.state == "canary"


@pytest.mark.parametrize(("details", "words"), [({"timeouts_in_row": 3}, "in a row"), ({"contract": 1}, "signature")])
def test_hard_fault__of_answers__goes_back_at_once(begin: Begin, details: dict[str, int], words: str) -> None:
    rollout = begin()
    count(rollout, (3, 0), (27, 0), details=details)
    rollout = tick(rollout)
    assert rollout.state == "rolled_back"
    assert words in rollout.why


def test_hard_fault__candidate_killed_its_process__goes_back(begin: Begin) -> None:
    rollout = begin()
    RuntimeDeath.objects.create(
        key="x", version=rollout.candidate, cause="crashed", isolated=True, host="h", pid=1, at=timezone.now()
    )
    assert tick(rollout).state == "rolled_back"


def test_candidate_quarantined__traffic_fell_back__rollout_ends_and_moves_nothing(begin: Begin) -> None:
    rollout = begin()
    with transaction.atomic():
        quarantine(rollout.candidate, "It crashed.")
    epoch = Endpoint.objects.get(pk=rollout.endpoint_id).epoch
    rollout = tick(rollout)
    assert rollout.state == "rolled_back"
    assert rollout.endpoint.epoch == epoch
    assert rollout.endpoint.live_split_id == rollout.base_split_id


def test_paused__harm_is_proven__goes_back_all_the_same(begin: Begin) -> None:
    from inference.rollouts.services import pause

    rollout = begin()
    pause(SYSTEM, rollout, reason="lunch")
    count(rollout, (100, 20), (900, 1))
    assert tick(rollout).state == "rolled_back"


def test_approval__gate_passed__waits_and_tells_once(begin: Begin) -> None:
    stages = [{"weight_bp": 1_000, "bake_seconds": 0, "n_min": 100, "delta": 0.02, "needs_approval": True}]
    rollout = begin(stages=stages)
    count(rollout, (500, 0), (4_000, 0))
    for _ in range(3):
        rollout = tick(rollout)
    assert (rollout.state, rollout.position) == ("canary", 0)
    assert next_of(rollout).code == "approval"
    assert Notification.objects.filter(event="rollout.waiting").count() == 1


def test_slo__endpoint_over_its_objective__holds(begin: Begin) -> None:
    rollout = begin()
    Endpoint.objects.filter(pk=rollout.endpoint_id).update(slo_error_bp=100)
    now = timezone.now()
    MetricWindow.objects.create(
        process=uuid.uuid4(),
        seq=1,
        endpoint=rollout.endpoint,
        version=rollout.stable,
        variant="stable",
        started_at=now,
        ended_at=now,
        n_ok=500,
        n_model_errors=20,
    )
    rollout = tick(rollout)
    assert rollout.state == "hold"
    assert "objective" in rollout.events.first().sentence


def test_latency__slower_candidate__goes_back(begin: Begin) -> None:
    rollout = begin()
    _stable_latency(rollout, {"100": 700, "150": 290, "200": 10})
    for _ in range(6):
        count(rollout, (200, 0), (1_800, 0), latency={"115": 140, "165": 58, "215": 2})
        window = EvidenceWindow.objects.filter(variant="stable").order_by("-pk").first()
        EvidenceWindow.objects.filter(pk=window.pk).update(latency={"100": 1_260, "150": 522, "200": 18})
        rollout = tick(rollout)
        if rollout.has_ended:
            break
    assert rollout.state == "rolled_back"
    assert "latency" in rollout.why
    assert rollout.stages.get(index=0).taus["p50"] == 100


def _stable_latency(rollout: Rollout, latency: dict[str, int]) -> None:
    now = timezone.now()
    MetricWindow.objects.create(
        process=uuid.uuid4(),
        seq=1,
        endpoint=rollout.endpoint,
        version=rollout.stable,
        variant="stable",
        started_at=now,
        ended_at=now,
        n_ok=sum(latency.values()),
        latency=latency,
    )


def test_fixed_thresholds__failing_checks__go_back_and_passing_ones_on(begin: Begin) -> None:
    limits = {"seconds": 0, "most_failed": 2, "least_success": 0.99, "most_p99_ms": 500}
    rollout = begin(preset="fixed_thresholds", thresholds=limits)
    for _ in range(4):
        count(rollout, (100, 3), (900, 0))
        rollout = tick(rollout)
    assert rollout.state == "rolled_back"
    assert "checks" in rollout.why


def test_killed_between_the_halves__the_next_look_ends_it(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = begin()
    steps.take_traffic_back(SYSTEM, rollout, "rolled_back", Transition("roll_back", "rolling_back", sentence="Bad."))
    assert fresh_of(rollout).state == "rolling_back"
    assert tick(rollout).state == "rolling_back"
    monkeypatch.setattr(controller, "_is_abandoned", lambda _rollout: True)
    rollout = tick(rollout)
    assert (rollout.state, rollout.why) == ("rolled_back", "Bad.")


def test_looked_at__by_two_controllers__second_skips_it(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (10, 0), (90, 0))
    look = evaluation.evaluate(rollout.pk)
    assert look is not None
    assert evaluation.evaluate(rollout.pk).decision.event == ""
    assert EvidenceBatch.objects.filter(guardrail="errors").count() == 1


def test_decision_on_what_was_seen_earlier__loses_against_a_person(begin: Begin) -> None:
    from inference.rollouts.services import abort

    rollout = begin()
    count(rollout, (100, 20), (900, 1))
    look = evaluation.evaluate(rollout.pk)
    assert look.decision.event == "roll_back"
    abort(SYSTEM, fresh_of(rollout), reason="by hand")
    with pytest.raises(Exception, match="Somebody else"):
        controller.act(look)
    rollout = fresh_of(rollout)
    assert rollout.state == "aborted"
    assert rollout.events.filter(state_to="rolling_back").count() == 1


def test_clock_jumps_an_hour__bakes_half_a_minute_at_most(begin: Begin) -> None:
    rollout = begin()
    tick(rollout)
    Rollout.objects.filter(pk=rollout.pk).update(evaluated_at=timezone.now() - timedelta(hours=1), stage_seconds=0)
    assert tick(rollout).stage_seconds == pytest.approx(30.0)
    Rollout.objects.filter(pk=rollout.pk).update(evaluated_at=timezone.now() + timedelta(hours=1))
    assert tick(rollout).stage_seconds == pytest.approx(30.0)


def test_ledger__is_append_only(begin: Begin) -> None:
    rollout = begin()
    count(rollout, (10, 0), (90, 0))
    tick(rollout)
    with pytest.raises(DatabaseError), transaction.atomic():
        EvidenceBatch.objects.update(k_c=0)
    with pytest.raises(DatabaseError), transaction.atomic():
        rollout.events.update(reason="forged")


def test_evidence_json__before_and_after_the_first_look(begin: Begin) -> None:
    rollout = begin()
    assert evidence_json(rollout)["seq"] == 0
    count(rollout, (10, 1), (90, 0))
    found = evidence_json(tick(rollout))
    assert found["arms"] == {"canary": {"n": 10, "bad": 1}, "stable": {"n": 90, "bad": 0}}
    assert found["e"]["errors"] > 1


def test_endpoint_deleted_meanwhile__the_rollout_ends(begin: Begin) -> None:
    rollout = begin()
    Endpoint.objects.filter(pk=rollout.endpoint_id).update(deleted_at=timezone.now())
    assert tick(rollout).state == "rolled_back"
