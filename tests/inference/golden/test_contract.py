"""What promote, split, rollout and experiment refuse, what `force` overrides, and what the record then says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inference.endpoints.contract import check_contract
from inference.endpoints.switching import WantedShare, promote, roll_back, set_split
from inference.golden import asking
from inference.golden.running import run_golden
from inference.models import Endpoint, GoldenRequest, GoldenRun, Rollout
from inference.rollouts.services import create_rollout, start
from inference.rollouts.validation import validate
from portal.lib.errors import Conflict, PortalError, Unavailable
from registry.access.principal import SYSTEM
from registry.models import AuditEvent
from tests import factories
from tests.inference.rollouts.made import QUICK

OTHER_INPUT = {**factories.SIGNATURE, "inputs": [{"name": "z", "datatype": "FP32", "shape": [-1, 4]}]}
Rung = list[tuple[Any, ...]]


def _break(endpoint: Endpoint, number: int = 2) -> None:
    version = factories.version_of(endpoint, number)
    version.signature = OTHER_INPUT
    version.save()


def _promote(endpoint: Endpoint, number: int = 2, **more: Any) -> Any:
    now = Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)
    return promote(SYSTEM, now, factories.version_of(endpoint, number), reason="they know", **more)


def _split(endpoint: Endpoint, weight_bp: int, **more: Any) -> Any:
    now = Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)
    shares = [
        WantedShare("stable", factories.version_of(endpoint, 1), 10_000 - weight_bp),
        WantedShare("canary", factories.version_of(endpoint, 2), weight_bp),
    ]
    return set_split(SYSTEM, now, shares, reason="they know", **more)


def _refused(act: Callable[..., Any], *args: Any, **more: Any) -> PortalError:
    with pytest.raises(PortalError) as refused:
        act(*args, **more)
    return refused.value


def _noted(action: str) -> dict[str, Any]:
    event = AuditEvent.objects.filter(action=action).order_by("-id").first()
    assert event is not None
    return {name: event.details[name] for name in ("forced", "golden") if name in event.details}


@pytest.mark.parametrize("act", [_promote, lambda endpoint, **more: _split(endpoint, 1_000, **more)])
def test_switch__breaking_signature__409_with_the_changes_and_nothing_moves(
    endpoint: Endpoint, act: Callable[..., Any]
) -> None:
    _break(endpoint)
    error = _refused(act, endpoint)
    assert isinstance(error, Conflict)
    assert error.code == "signature_breaking"
    assert error.message == (
        "Version 2 would break callers of version 1. It takes no input “x”: requests that send it are refused. "
        "It asks for a new input “z”: requests without it are refused. Force it, with the reason, if that is meant."
    )
    assert (error.details["version"], error.details["live"], error.details["kind"]) == (2, 1, "breaking")
    assert [(change["name"], change["what"]) for change in error.details["changes"]] == [
        ("x", "removed"),
        ("z", "added"),
    ]
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == endpoint.epoch


def test_promote__breaking_and_forced__moves_and_the_record_says_so(endpoint: Endpoint) -> None:
    _break(endpoint)
    assert _promote(endpoint, force=True).changed
    assert _noted("endpoint.promoted") == {"forced": ["signature_breaking"]}


def test_promote__force_without_need__record_says_nothing(endpoint: Endpoint) -> None:
    assert _promote(endpoint, force=True).changed
    assert _noted("endpoint.promoted") == {}


def test_promote__first_version_of_an_endpoint__nobody_to_break(db: None) -> None:
    endpoint = factories.make_endpoint("fresh", promoted=None)
    _break(endpoint, 1)
    assert _promote(endpoint, 1).changed


def test_promote__several_live__those_of_the_largest_share_count(endpoint: Endpoint) -> None:
    factories.split(endpoint, 6_000)
    third = factories.make_version(endpoint.model, 30.0)
    third.signature = OTHER_INPUT
    third.save()
    assert _refused(_promote, endpoint, 3).details["live"] == 2


def test_split__version_that_is_live_already__is_not_asked_again(
    endpoint: Endpoint, golden: GoldenRequest, worker: Rung
) -> None:
    _break(endpoint)
    assert _split(endpoint, 1_000, force=True).changed
    assert _noted("endpoint.split_changed")["forced"] == ["signature_breaking", "golden_mismatch"]
    worker.clear()
    assert _split(endpoint, 2_000).changed
    assert worker == []


def test_roll_back__to_a_breaking_version__is_never_refused(
    endpoint: Endpoint, golden: GoldenRequest, worker: Rung
) -> None:
    _promote(endpoint, force=True)
    now = Endpoint.objects.select_related("live_split", "model").get(pk=endpoint.pk)
    _break(endpoint, 1)
    assert roll_back(SYSTEM, now, reason="x").changed


def test_promote__golden_mismatch__409_with_the_numbers(
    endpoint: Endpoint, golden: GoldenRequest, worker: Rung
) -> None:
    error = _refused(_promote, endpoint)
    assert isinstance(error, Conflict)
    assert error.code == "golden_mismatch"
    assert "“ones”: Output “y” at [0, 0] is 21.0, expected was 11.0." in error.message
    (row,) = error.details["failed"]
    assert (row["output"], row["index"], row["got"], row["expected"], row["n_wrong"]) == ("y", [0, 0], 21.0, 11.0, 4)
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == endpoint.epoch
    version = factories.version_of(endpoint, 2)
    assert worker == [("inference.tasks.run_golden", version.pk, "promotion", "validation")]
    assert GoldenRun.objects.get().occasion == "promotion"


def test_promote__golden_mismatch_and_forced__record_names_the_run(
    endpoint: Endpoint, golden: GoldenRequest, worker: Rung
) -> None:
    assert _promote(endpoint, force=True).changed
    run = GoldenRun.objects.get()
    assert _noted("endpoint.promoted") == {
        "forced": ["golden_mismatch"],
        "golden": [{"run": run.pk, "version": run.version_id, "n_requests": 1, "n_failed": 1}],
    }


def test_promote__golden_passed__moves_and_the_record_names_the_run(
    endpoint: Endpoint, golden: GoldenRequest, worker: Rung
) -> None:
    golden.delete()
    factories.make_golden(endpoint.model, added=20.0)
    assert _promote(endpoint).changed
    assert _noted("endpoint.promoted")["golden"][0]["n_failed"] == 0
    _promote(endpoint, 1, force=True)
    worker.clear()
    assert _promote(endpoint).changed
    assert worker == [], "a run that was passed a moment ago counts"


def test_check__several_versions__all_are_rung_for_before_the_first_is_waited_for(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    GoldenRequest.objects.update(rtol=100.0)
    versions = [factories.version_of(endpoint, number) for number in (2, 1)]
    waiting: list[int] = []

    def ring(task: str, version_id: int, occasion: str, queue: str) -> None:
        waiting.append(version_id)
        if len(waiting) == len(versions):
            for each in waiting:
                run_golden(each, occasion)

    monkeypatch.setattr(asking, "ring", ring)
    monkeypatch.setattr(asking, "WAIT_SECONDS", 0.0)
    notes = check_contract(None, versions, "promotion", force=None)
    assert [(note["version"], note["n_failed"]) for note in notes["golden"]] == [(each.pk, 0) for each in versions]


def test_promote__no_golden_requests__nobody_is_rung_for(endpoint: Endpoint, worker: Rung) -> None:
    assert _promote(endpoint).changed
    assert worker == []


def test_promote__already_live__nothing_is_run(endpoint: Endpoint, golden: GoldenRequest, worker: Rung) -> None:
    assert not _promote(endpoint, 1).changed
    assert worker == []


def test_promote__no_worker_answers__503_and_force_goes_on(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(asking, "FORCED_WAIT_SECONDS", 0.1)
    error = _refused(_promote, endpoint)
    assert isinstance(error, Unavailable)
    assert (error.code, error.retry_after) == ("golden_not_run", 10)
    assert _promote(endpoint, force=True).changed
    assert _noted("endpoint.promoted") == {"forced": ["golden_not_run"]}


# --- rollouts ---------------------------------------------------------------------------------------------------------


def _validated(endpoint: Endpoint, **plan: Any) -> Rollout:
    rollout = create_rollout(SYSTEM, endpoint, {**QUICK, **plan})
    validate(rollout.pk)
    return Rollout.objects.select_related("endpoint").get(pk=rollout.pk)


def test_rollout__golden_mismatch__fails_validation_and_no_traffic_moves(
    endpoint: Endpoint, golden: GoldenRequest
) -> None:
    rollout = _validated(endpoint)
    assert rollout.state == "failed_validation"
    assert "“ones”: Output “y” at [0, 0] is 21.0, expected was 11.0." in rollout.why
    assert rollout.endpoint.epoch == endpoint.epoch
    assert GoldenRun.objects.get().occasion == "rollout"
    assert "forced" not in _noted("rollout.failed_validation")


def test_rollout__golden_mismatch_and_forced__goes_on_and_the_record_says_so(
    endpoint: Endpoint, golden: GoldenRequest
) -> None:
    rollout = _validated(endpoint, force=True)
    assert rollout.state == "canary"
    assert _noted("rollout.start") == {}
    assert _noted("rollout.advance")["forced"] == ["golden_mismatch"]
    assert "1 of 1 golden requests failed." in rollout.events.get(event="advance").sentence


def test_rollout__golden_passed__says_so(endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model, added=20.0)
    rollout = _validated(endpoint)
    assert rollout.state == "canary"
    assert rollout.events.get(event="advance").sentence.startswith("1 golden request passed. ")


def test_rollout__breaking_and_forced__start_says_what_was_overridden(endpoint: Endpoint) -> None:
    _break(endpoint)
    assert _refused(create_rollout, SYSTEM, endpoint, QUICK).code == "signature_breaking"
    _validated(endpoint, force=True)
    assert _noted("rollout.start") == {"forced": ["signature_breaking"]}


def test_rollout__forced_draft__starts_as_planned(endpoint: Endpoint) -> None:
    _break(endpoint)
    draft = create_rollout(SYSTEM, endpoint, {**QUICK, "draft": True, "force": True})
    assert start(SYSTEM, draft, reason="go").state == "validating"
    assert _noted("rollout.start") == {"forced": ["signature_breaking"]}


# --- experiments ------------------------------------------------------------------------------------------------------


def test_experiment__arm_with_other_answers__409(endpoint: Endpoint, golden: GoldenRequest, worker: Rung) -> None:
    error = _refused(factories.make_experiment, endpoint)
    assert error.code == "golden_mismatch"
    assert "Force" not in error.message
