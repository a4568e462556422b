"""What a rollout has to pass before it gets traffic."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from inference.models import Endpoint, ReplayRun, Rollout
from inference.replay.gate import run_gate
from tests import factories, graphs
from tests.inference.outcomes.kept import make_rollout
from tests.inference.replay.conftest import ALIKE, capture, replay, request_of

pytestmark = pytest.mark.django_db


def planned(endpoint: Endpoint, added: float = ALIKE, **options: Any) -> Rollout:
    factories.make_version(endpoint.model, data=graphs.add_constant(added))
    return make_rollout(endpoint, **options)


def test_gate__captured_and_alike__passed_with_its_run(endpoint: Endpoint) -> None:
    rollout = planned(endpoint)
    capture(endpoint, request_of(1, 2, 3, 4))
    gate = run_gate(rollout)
    assert gate.passed
    assert gate.run is not None
    assert (gate.run.state, gate.run.rollout, gate.run.n_requests) == ("passed", rollout, 1)
    assert gate.sentence == "Both versions answered alike: all of 1 requests."


def test_gate__captured_and_different__not_passed_unless_expected(endpoint: Endpoint) -> None:
    rollout = planned(endpoint, 11.0)
    capture(endpoint, request_of(1, 2, 3, 4))
    gate = run_gate(rollout)
    assert (gate.passed, gate.sentence.startswith("100")) == (False, True)
    rollout.replays.all().delete()
    rollout.options = {"expects_difference": True}
    assert run_gate(rollout).passed


def test_gate__nothing_captured__passed_unless_a_replay_is_required(endpoint: Endpoint) -> None:
    rollout = planned(endpoint)
    gate = run_gate(rollout)
    assert gate.passed
    assert "Nothing to replay" in gate.sentence
    rollout.endpoint.replay_required = True
    gate = run_gate(rollout)
    assert (gate.passed, gate.sentence.startswith("This endpoint requires a replay.")) == (False, True)
    assert "Turn captures on" in gate.sentence


def test_gate__file_replayed_by_hand__counts_for_a_day_and_its_pair_only(endpoint: Endpoint) -> None:
    rollout = planned(endpoint, 11.0)
    data = json.dumps(request_of(1, 2, 3, 4)).encode()
    by_hand = replay(endpoint, data=data)
    gate = run_gate(rollout)
    assert (gate.passed, gate.run, gate.sentence) == (False, by_hand, by_hand.sentence)
    rollout.options = {"expects_difference": True}
    assert run_gate(rollout).passed
    assert ReplayRun.objects.count() == 1
    assert by_hand.ended_at is not None
    ReplayRun.objects.update(ended_at=by_hand.ended_at - timedelta(hours=25))
    assert run_gate(rollout).run != by_hand


def test_gate__asked_again__same_answer_and_no_second_run(endpoint: Endpoint) -> None:
    rollout = planned(endpoint)
    capture(endpoint, request_of(1, 2, 3, 4))
    assert run_gate(rollout).run == run_gate(rollout).run
    assert ReplayRun.objects.count() == 1


def test_gate__worker_died_in_it__begun_anew(endpoint: Endpoint) -> None:
    rollout = planned(endpoint)
    capture(endpoint, request_of(1, 2, 3, 4))
    first = run_gate(rollout).run
    ReplayRun.objects.update(state="running")
    gate = run_gate(rollout)
    assert gate.passed
    assert gate.run != first
    assert ReplayRun.objects.get(pk=first.pk if first else 0).state == "error"
