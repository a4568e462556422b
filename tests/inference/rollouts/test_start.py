"""Starting a rollout: what is refused, with which code, and that nothing is written then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inference.endpoints.switching import promote, set_split
from inference.models import Endpoint, Quarantine, Rollout, RolloutEvent
from inference.rollouts.services import create_rollout, start
from inference.rollouts.validation import validate
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, PortalError
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, Notification, VersionStatus
from tests import factories
from tests.inference.rollouts.made import QUICK, fresh_of


def test_start__good_plan__takes_the_first_stage_after_validation(endpoint: Endpoint) -> None:
    rollout = create_rollout(SYSTEM, endpoint, QUICK)
    assert (rollout.state, rollout.position) == ("validating", -1)
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == endpoint.epoch
    validate(rollout.pk)
    rollout = fresh_of(rollout)
    assert (rollout.state, rollout.position) == ("canary", 0)
    live = rollout.endpoint.live_split
    assert live.rollout_id == rollout.pk
    assert live.salt == rollout.salt != rollout.endpoint.salt
    assert list(live.shares.values_list("variant__key", "variant__version__number", "weight_bp")) == [
        ("stable", 1, 9_000),
        ("canary", 2, 1_000),
    ]
    assert [event.event for event in rollout.events.order_by("number")] == ["start", "advance"]
    said = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"rollout.start", "rollout.advance", "endpoint.rollout_moved"} <= said
    assert list(Notification.objects.order_by("pk").values_list("event", flat=True)) == [
        "endpoint.promoted",
        "rollout.started",
        "rollout.advanced",
    ]


def test_start__validated_twice__second_finds_it_done(endpoint: Endpoint) -> None:
    rollout = create_rollout(SYSTEM, endpoint, QUICK)
    validate(rollout.pk)
    validate(rollout.pk)
    assert fresh_of(rollout).lock_version == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"candidate": 1}, "same_version"),
        ({"candidate": 7}, "unknown_version"),
        ({"candidate": "2"}, "unknown_version"),
        ({"reason": " "}, "reason_required"),
        ({"preset": "yolo"}, "invalid_plan"),
        ({"stages": [{"weight_bp": 500}, {"weight_bp": 500}]}, "stage_shrinks"),
        ({"stages": [{"weight_bp": 5_000}, {"weight_bp": 100}]}, "stage_shrinks"),
        ({"stages": [{"weight_bp": 0}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 10_001}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 1.5}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": True}]}, "invalid_plan"),
        ({"stages": [{"bake_seconds": 5}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 100, "bake_seconds": -1}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 100, "bake_seconds": float("nan")}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 100, "n_min": 0}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 100, "delta": 0}]}, "invalid_plan"),
        ({"stages": [{"weight_bp": 100, "surprise": 1}]}, "invalid_plan"),
        ({"stages": "all"}, "invalid_plan"),
        ({"stages": [{"weight_bp": n} for n in range(1, 30)]}, "invalid_plan"),
        ({"shadow": {"n": 3}}, "invalid_plan"),
        ({"holdback": {"seconds": "long"}}, "invalid_plan"),
        ({"tolerance": "lax"}, "invalid_plan"),
        ({"rules": [{"header": "X-A", "equals": "b", "variant": "nobody"}]}, "invalid_rule"),
        ({"assignment": {"by": "moon"}}, "invalid_assignment"),
    ],
)
def test_start__bad_plan__400_and_nothing_written(endpoint: Endpoint, change: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_rollout(SYSTEM, endpoint, {**QUICK, **change})
    assert refused.value.code == code
    assert not Rollout.objects.exists()
    assert not RolloutEvent.objects.exists()


def test_start__candidate_quarantined_rejected_or_of_another_shape__409(endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 2)
    row = Quarantine.objects.create(version=version, reason="x", created_at=version.created_at)
    assert _refusal(endpoint).code == "version_quarantined"
    row.delete()
    version.status = VersionStatus.REJECTED
    version.save()
    assert _refusal(endpoint).code == "version_not_ready"
    version.status = VersionStatus.READY
    version.signature = {**factories.SIGNATURE, "inputs": [{"name": "other", "datatype": "FP32", "shape": [-1, 4]}]}
    version.save()
    refused = _refusal(endpoint)
    assert refused.code == "signature_breaking"
    assert [change["what"] for change in refused.details["changes"]] == ["removed", "added"]
    assert create_rollout(SYSTEM, endpoint, {**QUICK, "force": True}).state == "validating"


def _refusal(endpoint: Endpoint) -> PortalError:
    with pytest.raises(Conflict) as refused:
        create_rollout(SYSTEM, endpoint, QUICK)
    return refused.value


def test_start__nothing_promoted_or_traffic_divided__409(endpoint: Endpoint, process: Any) -> None:
    assert _refusal(factories.make_endpoint(promoted=None)).code == "nothing_promoted"
    assert _refusal(factories.split(factories.make_endpoint(), 1_000)).code == "split_not_whole"


def test_start__second_rollout_on_one_endpoint__409(begin: Callable[..., Rollout], endpoint: Endpoint) -> None:
    rollout = begin()
    refused = _refusal(Endpoint.objects.get(pk=endpoint.pk))
    assert refused.code == "rollout_running"
    assert list(Rollout.objects.all()) == [rollout]


def test_start__second_while_validating__409(endpoint: Endpoint) -> None:
    create_rollout(SYSTEM, endpoint, QUICK)
    assert _refusal(endpoint).code == "rollout_running"


def test_by_hand__while_a_rollout_runs__409_and_nothing_moves(begin: Callable[..., Rollout]) -> None:
    rollout = begin()
    endpoint = Endpoint.objects.get(pk=rollout.endpoint_id)
    version = factories.version_of(endpoint, 1)
    with pytest.raises(Conflict) as refused:
        promote(SYSTEM, endpoint, version, reason="x")
    assert refused.value.code == "rollout_running"
    with pytest.raises(Conflict):
        set_split(SYSTEM, endpoint, [factories.WantedShare("stable", version, 10_000)], reason="x")
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == endpoint.epoch


def test_draft__starts_on_command__and_blocks_nothing_by_hand(endpoint: Endpoint) -> None:
    rollout = create_rollout(SYSTEM, endpoint, {**QUICK, "draft": True})
    assert rollout.state == "draft"
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 1), reason="x")
    rollout = start(SYSTEM, fresh_of(rollout), reason="go")
    assert rollout.state == "validating"
    with pytest.raises(Conflict):
        start(SYSTEM, rollout, reason="again")


def test_validation__candidate_not_loadable__fails_and_no_traffic_moves(endpoint: Endpoint, process: Any) -> None:
    rollout = create_rollout(SYSTEM, endpoint, QUICK)
    process.failures = {str(rollout.candidate_id): "It is broken."}
    process.save()
    validate(rollout.pk)
    rollout = fresh_of(rollout)
    assert rollout.state == "failed_validation"
    assert "It is broken." in rollout.why
    assert rollout.endpoint.epoch == endpoint.epoch


def test_all_at_once__after_validation__promoted_and_the_old_version_stays_warm(endpoint: Endpoint) -> None:
    rollout = create_rollout(SYSTEM, endpoint, {"candidate": 2, "preset": "all_at_once", "reason": "x"})
    validate(rollout.pk)
    rollout = fresh_of(rollout)
    assert rollout.state == "promoted"
    assert rollout.endpoint.warm_version_id == rollout.stable_id
    assert rollout.endpoint.live_split.parent_id == rollout.base_split_id
    assert rollout.endpoint.live_split.rollout_id is None


def test_roles__viewer_and_stranger__403_and_404(endpoint: Endpoint) -> None:
    with pytest.raises(NotAllowed):
        create_rollout(factories.principal("bob", "viewer"), endpoint, QUICK)
    with pytest.raises(NotFound):
        create_rollout(factories.principal("charlie"), endpoint, QUICK)
    assert not Rollout.objects.exists()


def test_wider_output__is_breaking_and_a_further_one_is_not(endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 2)
    more = [*factories.SIGNATURE["outputs"], {"name": "z", "datatype": "FP32", "shape": [-1]}]
    version.signature = {**factories.SIGNATURE, "outputs": more}
    version.save()
    create_rollout(SYSTEM, endpoint, {**QUICK, "draft": True}).delete()
    wider = [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}]
    version.signature = {**factories.SIGNATURE, "outputs": wider}
    version.save()
    assert _refusal(endpoint).code == "signature_breaking"
