"""What an experiment begins from, and every wish that is refused without a trace."""

from __future__ import annotations

from typing import Any

import pytest

from inference.endpoints.switching import promote, set_split
from inference.experiments import starting
from inference.experiments.starting import start
from inference.models import Endpoint, Experiment, Rollout, SplitActivation, TrafficSplit
from inference.routing.split import from_json, weights_of
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, PortalError, Unavailable
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, VersionStatus
from tests import factories
from tests.inference.experiments.made import arms, endpoint, running, wish

pytestmark = pytest.mark.django_db
NAN, INF = float("nan"), float("inf")


def facts() -> tuple[int, ...]:
    tables = (Experiment, TrafficSplit, SplitActivation, AuditEvent)
    return (*(table.objects.count() for table in tables), sum(Endpoint.objects.values_list("epoch", flat=True)))


def test_start__a_good_wish__divides_the_traffic_by_key_and_writes_it_down() -> None:
    shop = endpoint()
    base = shop.live_split
    olga = factories.principal("olga", "operator")
    assignment = {"by": "field", "name": "customer_id"}
    made = start(olga, shop, wish(arms=arms(2_000, 3_000, 5_000), assignment=assignment), reason="to know").experiment
    split = Endpoint.objects.get().live_split
    assert split is not None
    assert (made.state, made.lock_version, made.base_split_id) == ("running", 1, base.pk if base else None)
    assert (split.experiment_id, split.salt, split.assignment) == (made.pk, made.salt, assignment)
    assert weights_of(from_json(split.table)) == {"control": 2_000, "b": 3_000, "c": 5_000}
    assert [(arm.key, arm.version.number) for arm in made.arms.all()] == [("control", 1), ("b", 2), ("c", 3)]
    event = AuditEvent.objects.get(action="experiment.started")
    assert (event.actor_name, event.reason, event.details["min_effect"]) == ("olga", "to know", 0.02)
    assert AuditEvent.objects.filter(action="endpoint.experiment_moved").count() == 1


def test_start__shortest_wish__has_defaults() -> None:
    short = {name: value for name, value in wish().items() if name in ("name", "metric", "min_effect", "arms")}
    made = start(SYSTEM, endpoint(), short, reason="x").experiment
    assert (made.direction, made.planned_size, made.assignment) == ("decrease", 1_000, {"by": "header"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"arms": arms(5_000, 4_999)}, "weights_do_not_sum"),
        ({"arms": arms(5_000, 5_001)}, "weights_do_not_sum"),
        ({"arms": arms(10_000, 0)}, "invalid_weight"),
        ({"arms": arms(11_000, -1_000)}, "invalid_weight"),
        ({"arms": [{**arm, "weight_bp": 5_000.0} for arm in arms(0, 0)]}, "invalid_weight"),
        ({"arms": [{**arm, "weight_bp": True} for arm in arms(0, 0)]}, "invalid_weight"),
        ({"arms": arms(10_000)}, "invalid_arms"),
        ({"arms": arms(1_000, 1_000, 2_000, 2_000, 2_000, 2_000)}, "invalid_arms"),
        ({"arms": []}, "invalid_arms"),
        ({"arms": "b"}, "invalid_arms"),
        ({"arms": None}, "invalid_arms"),
        ({"arms": [1, 2]}, "invalid_arms"),
        ({"arms": [{**arm, "extra": 1} for arm in arms(5_000, 5_000)]}, "invalid_arms"),
        ({"arms": [{**arm, "key": "same"} for arm in arms(5_000, 5_000)]}, "duplicate_variant"),
        ({"arms": [{**arm, "key": "A b"} for arm in arms(5_000, 5_000)]}, "invalid_variant"),
        ({"arms": [{**arm, "key": 7} for arm in arms(5_000, 5_000)]}, "invalid_variant"),
        ({"arms": [{**arm, "version": 1} for arm in arms(5_000, 5_000)]}, "duplicate_version"),
        ({"arms": [{**arm, "version": "1"} for arm in arms(5_000, 5_000)]}, "unknown_version"),
        ({"arms": [arms(5_000, 5_000)[0], {"key": "b", "version": 99, "weight_bp": 5_000}]}, "unknown_version"),
        ({"arms": [arms(5_000, 5_000)[0], {"key": "b", "version": -2, "weight_bp": 5_000}]}, "unknown_version"),
        ({"arms": [arms(5_000, 5_000)[0], {"key": "b", "version": 2**40, "weight_bp": 5_000}]}, "unknown_version"),
        ({"arms": list(reversed(arms(5_000, 5_000)))}, "control_not_live"),
        ({"min_effect": NAN}, "invalid_min_effect"),
        ({"min_effect": INF}, "invalid_min_effect"),
        ({"min_effect": 0}, "invalid_min_effect"),
        ({"min_effect": -0.1}, "invalid_min_effect"),
        ({"min_effect": 1.5}, "invalid_min_effect"),
        ({"min_effect": True}, "invalid_min_effect"),
        ({"min_effect": "0.1"}, "invalid_min_effect"),
        ({"min_effect": None}, "invalid_min_effect"),
        ({"planned_size": -5}, "invalid_planned_size"),
        ({"planned_size": 99}, "invalid_planned_size"),
        ({"planned_size": 100_000_001}, "invalid_planned_size"),
        ({"planned_size": 500.5}, "invalid_planned_size"),
        ({"planned_size": None}, "invalid_planned_size"),
        ({"metric": "speed"}, "invalid_metric"),
        ({"metric": None}, "invalid_metric"),
        ({"metric": ["error"]}, "invalid_metric"),
        ({"direction": "increase"}, "invalid_direction"),
        ({"direction": "sideways"}, "invalid_direction"),
        ({"metric": "agreement", "direction": "decrease"}, "invalid_direction"),
        ({"name": " "}, "invalid_input"),
        ({"name": "x" * 129}, "invalid_input"),
        ({"name": "a\x00b"}, "invalid_input"),
        ({"name": None}, "invalid_input"),
        ({"hypothesis": "x" * 2_001}, "invalid_input"),
        ({"guardrails": {"errors": 1}}, "invalid_guardrails"),
        ({"guardrails": {"error_increase": NAN}}, "invalid_guardrails"),
        ({"guardrails": {"error_increase": -0.1}}, "invalid_guardrails"),
        ({"guardrails": {"error_increase": 1.0}}, "invalid_guardrails"),
        ({"guardrails": {"latency_increase": INF}}, "invalid_guardrails"),
        ({"guardrails": {"stop": 1}}, "invalid_guardrails"),
        ({"guardrails": [1]}, "invalid_guardrails"),
        ({"assignment": {"by": "request"}}, "assignment_without_key"),
        ({"assignment": {"by": "moon"}}, "invalid_assignment"),
        ({"assignment": [1]}, "invalid_assignment"),
    ],
)
def test_start__a_wrong_wish__is_refused_without_a_trace(change: dict[str, Any], code: str) -> None:
    shop = endpoint()
    before = facts()
    with pytest.raises(InvalidInput) as caught:
        start(SYSTEM, shop, wish(**change), reason="x")
    assert caught.value.code == code
    assert facts() == before


@pytest.mark.parametrize("reason", ["", " ", "x" * 2_001, "a\x00"])
def test_start__no_proper_reason__is_refused(reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        start(SYSTEM, endpoint(), wish(), reason=reason)
    assert caught.value.code == "reason_required"


@pytest.mark.parametrize(("role", "error"), [("viewer", NotAllowed), ("data_scientist", NotAllowed), (None, NotFound)])
def test_start__no_right__is_refused(role: str | None, error: type[PortalError]) -> None:
    shop, who = endpoint(), factories.principal("bob", role)
    before = facts()
    with pytest.raises(error):
        start(who, shop, wish(), reason="x")
    assert facts() == before


def _nothing_live() -> Endpoint:
    return factories.make_endpoint("idle", promoted=None)


def _divided() -> Endpoint:
    return factories.split(endpoint(), 1_000)


def _not_ready() -> Endpoint:
    shop = endpoint()
    shop.model.versions.filter(number=2).update(status=VersionStatus.ARCHIVED)
    return shop


def _incompatible() -> Endpoint:
    shop = endpoint()
    other = {**factories.SIGNATURE, "inputs": [{"name": "z", "datatype": "FP32", "shape": [-1, 4]}]}
    shop.model.versions.filter(number=2).update(signature=other)
    return shop


def _experimenting() -> Endpoint:
    shop = endpoint()
    running(shop)
    return Endpoint.objects.select_related("live_split", "model").get(pk=shop.pk)


def _rolling_out() -> Endpoint:
    shop = endpoint()
    one, two = factories.version_of(shop, 1), factories.version_of(shop, 2)
    Rollout.objects.create(
        endpoint=shop,
        stable=one,
        candidate=two,
        preset="canary",
        base_split=shop.live_split,
        epoch=shop.epoch,
        state="canary",
    )
    return shop


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (_nothing_live, "nothing_promoted"),
        (_divided, "split_not_whole"),
        (_not_ready, "version_not_ready"),
        (_incompatible, "signature_breaking"),
        (_experimenting, "experiment_running"),
        (_rolling_out, "rollout_running"),
    ],
)
def test_start__a_state_that_forbids_it__is_a_conflict_without_a_trace(made: Any, code: str) -> None:
    shop = made()
    before = facts()
    with pytest.raises(PortalError) as caught:
        start(SYSTEM, shop, wish(), reason="x")
    assert (caught.value.code, caught.value.status) == (code, 409)
    assert facts() == before


def test_start__seen_at_an_old_epoch__is_a_conflict() -> None:
    shop = endpoint()
    promote(SYSTEM, shop, factories.version_of(shop, 2), reason="x")
    with pytest.raises(Conflict) as caught:
        start(SYSTEM, Endpoint.objects.get(), wish(), reason="x", epoch=1)
    assert caught.value.code == "epoch_moved"


def test_start__version_that_cannot_be_loaded__leaves_no_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        assert Experiment.objects.get().state == "draft"
        raise Unavailable("It could not be loaded.")

    shop = endpoint()
    before = facts()
    monkeypatch.setattr(starting, "move", refuse)
    with pytest.raises(Unavailable):
        start(SYSTEM, shop, wish(), reason="x")
    assert facts() == before


def test_start__rules_of_the_live_split__go_on_under_the_arms_names() -> None:
    from inference.endpoints.switching import WantedShare

    shop = endpoint()
    rule = {"header": "X-Tenant", "equals": "acme", "variant": "stable"}
    one = factories.version_of(shop, 1)
    set_split(SYSTEM, shop, [WantedShare("stable", one, 10_000)], reason="x", rules=[rule])
    start(SYSTEM, Endpoint.objects.get(), wish(), reason="x")
    split = Endpoint.objects.get().live_split
    assert split is not None
    assert split.rules == [{**rule, "variant": "control"}]
