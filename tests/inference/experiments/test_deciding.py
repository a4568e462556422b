"""From counted keys to a verdict in one sentence, and who is told of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from inference.experiments.deciding import due, look
from inference.experiments.words import sentence_of
from inference.models import Endpoint, Experiment, ExperimentArm, ExposedUnit
from registry.models import AuditEvent, Notification
from tests.inference.experiments.made import arms, counted, endpoint, keys, running, window

pytestmark = pytest.mark.django_db
N = "\N{NARROW NO-BREAK SPACE}"


def told() -> list[str]:
    events = Notification.objects.filter(event="experiment.decided").order_by("pk")
    return [event.body["kind"] for event in events]


def standings(experiment: Experiment) -> dict[str, str]:
    return {arm["key"]: arm["standing"] for arm in experiment.verdict["arms"]}


def test_look__nothing_counted__is_undecided_and_tells_nobody() -> None:
    experiment = counted(running())
    assert experiment.verdict["code"] == "undecided"
    assert "control has 0 measured keys" in sentence_of(experiment)
    assert told() == []


def test_look__too_few_events__says_what_is_waited_for() -> None:
    experiment = counted(running(), control=(400, 12), b=(400, 3))
    assert (
        sentence_of(experiment)
        == "Undecided: b has 3 keys with a failed answer, and each arm needs 10 before anything is said."
    )
    assert standings(experiment) == {"control": "control", "b": "waiting"}


def test_look__clearly_fewer_failures__b_wins_with_its_numbers() -> None:
    experiment = counted(running(), control=(3_000, 600), b=(3_000, 150))
    verdict = experiment.verdict
    assert (verdict["code"], verdict["arm"], standings(experiment)["b"]) == ("winner", "b", "better")
    arm = verdict["arms"][1]
    assert (arm["n_units"], arm["n_requests"], arm["n_failed"], arm["value"]) == (3_000, 3_000, 150, 0.05)
    assert arm["difference"]["estimate"] == pytest.approx(-0.15)
    assert arm["difference"]["low"] < -0.15 < arm["difference"]["high"] < 0
    assert sentence_of(experiment).startswith(
        f"b is better than control: the share of keys that met a failed answer is 5.00{N}% instead of 20.0{N}%"
    )
    assert verdict["srm_ln"] < 0


def test_look__an_arm_that_never_fails__wins_without_an_interval() -> None:
    experiment = counted(running(), control=(400, 80), b=(400, 0))
    assert (experiment.verdict["code"], experiment.verdict["arms"][1]["difference"]) == ("winner", None)
    assert sentence_of(experiment) == (
        f"b is better than control: the share of keys that met a failed answer is 0.0{N}% instead of 20.0{N}%."
        " That is proven, at 1 %; for an interval they are too few."
    )


def test_look__an_arm_that_always_fails__loses_without_an_interval() -> None:
    experiment = counted(running(), control=(400, 0), b=(400, 400))
    assert (experiment.verdict["code"], standings(experiment)["b"]) == ("loser", "worse")


def test_look__clearly_more_failures__b_loses() -> None:
    experiment = counted(running(), control=(3_000, 150), b=(3_000, 600))
    assert (experiment.verdict["code"], standings(experiment)["b"]) == ("loser", "worse")
    assert sentence_of(experiment).startswith("b is worse than control: ")


def test_look__alike_and_many__makes_no_difference_that_matters() -> None:
    experiment = counted(running(min_effect=0.05), control=(9_000, 450), b=(9_000, 455))
    assert experiment.verdict["code"] == "no_difference"
    assert sentence_of(experiment).startswith("b makes no difference of 5.00 points or more to control: ")


def test_look__somewhat_fewer__stays_undecided_with_the_interval() -> None:
    experiment = counted(running(), control=(400, 40), b=(400, 30))
    assert experiment.verdict["code"] == "undecided"
    assert sentence_of(experiment).startswith("Undecided: b differs from control by anything of ")


def test_look__one_key_failing_often__counts_once() -> None:
    experiment = running()
    for _round in range(30):
        window(experiment, "b", [[1, 50, 50, 0.5]])
    window(experiment, "b", keys(200, first=100))
    counted(experiment)
    arm = Experiment.objects.get().verdict["arms"][1]
    assert (arm["n_units"], arm["n_failed"], arm["n_requests"]) == (201, 1, 1_700)


def test_look__three_arms__each_gets_its_part_and_the_best_is_named() -> None:
    two = counted(running(endpoint("two")), control=(2_000, 400), b=(2_000, 200))
    three = counted(
        running(endpoint("three"), arms=arms(3_400, 3_300, 3_300)),
        control=(2_000, 400),
        b=(2_000, 200),
        c=(2_000, 100),
    )
    assert (three.verdict["code"], three.verdict["arm"]) == ("winner", "c")
    narrow, wide = (experiment.verdict["arms"][1]["difference"] for experiment in (two, three))
    assert narrow["estimate"] == wide["estimate"]
    assert wide["low"] < narrow["low"]


def test_look__mean_time__compares_sums_of_seconds_over_answers() -> None:
    experiment = running(metric="latency", min_effect=0.002)
    for arm, seconds in (("control", 0.02), ("b", 0.01)):
        first = 1 if arm == "b" else 5_000
        units = [[first + n, 2, 0, 2 * seconds + (0.001 if n % 2 else -0.001)] for n in range(400)]
        window(experiment, arm, units)
    experiment = counted(experiment)
    assert experiment.verdict["code"] == "winner"
    assert [arm["value"] for arm in experiment.verdict["arms"]] == pytest.approx([0.02, 0.01])
    assert f"the mean time to answer is 10{N}ms instead of 20{N}ms" in sentence_of(experiment)


def test_look__rewards__are_compared_among_the_keys_that_have_some() -> None:
    experiment = counted(running(metric="reward", direction="increase", min_effect=0.1), control=(400, 0), b=(400, 0))
    for arm, share in (("control", 0.3), ("b", 0.6)):
        units = list(ExposedUnit.objects.filter(variant=arm).order_by("unit")[:300])
        for place, unit in enumerate(units):
            unit.n_rewards, unit.reward = 1, float(place < 300 * share)
        ExposedUnit.objects.bulk_update(units, ["n_rewards", "reward"])
    look(experiment.pk)
    experiment = Experiment.objects.get()
    assert [(arm["n_measured"], arm["value"]) for arm in experiment.verdict["arms"]] == [(300, 0.3), (300, 0.6)]
    assert (experiment.verdict["code"], experiment.verdict["arm"]) == ("winner", "b")


def test_look__arms_that_did_not_get_their_keys__are_not_trusted() -> None:
    experiment = counted(running(), control=(3_000, 600), b=(2_000, 100))
    assert experiment.verdict["code"] == "untrusted"
    assert sentence_of(experiment) == (
        "The arms did not get the keys they should: do not trust this."
        f" Of 5{N}000 keys control 3{N}000 where 2{N}500 were due, b 2{N}000 where 2{N}500 were due."
    )
    assert told() == ["untrusted"]


def test_look__decided__is_told_once_however_often_it_is_looked_at() -> None:
    experiment = counted(running(), control=(3_000, 600), b=(3_000, 150))
    assert told() == ["decided"]
    body = Notification.objects.get(event="experiment.decided").body
    assert (body["experiment"], body["endpoint"], body["code"]) == (experiment.pk, "shop", "winner")
    window(experiment, "b", keys(10, first=99_000_000))
    look(experiment.pk)
    look(experiment.pk)
    assert told() == ["decided"]


def test_look__guardrail_broken__says_so_and_goes_on() -> None:
    rails = {"error_increase": 0.01}
    experiment = counted(running(metric="latency", guardrails=rails), control=(500, 0), b=(500, 100))
    assert experiment.verdict["breaches"] == [{"arm": "b", "guardrail": "error_increase", "tolerated": 0.01}]
    assert experiment.state == "running"
    assert told() == ["breach"]


def test_look__guardrail_that_stops__gives_the_traffic_back() -> None:
    shop = endpoint()
    rails = {"error_increase": 0.01, "stop": True}
    experiment = counted(running(shop, guardrails=rails), control=(500, 0), b=(500, 100))
    assert (experiment.state, experiment.verdict["chosen"]) == ("stopped", None)
    assert "proven by more than the tolerated 1.00 points" in experiment.conclusion
    assert Endpoint.objects.get().live_split_id == experiment.base_split_id
    event = AuditEvent.objects.get(action="experiment.stopped")
    assert event.actor_name == "system"


def test_look__traffic_taken_away__ends_the_experiment() -> None:
    """As a quarantine does it."""
    experiment = running()
    Endpoint.objects.update(live_split=experiment.base_split_id)
    look(experiment.pk)
    now = Experiment.objects.get()
    assert (now.state, now.conclusion) == ("stopped", "Its traffic was taken away, so it could not go on.")


def test_look__draft_that_was_left_behind__is_ended_after_ten_minutes() -> None:
    shop = endpoint()
    draft = Experiment.objects.create(
        endpoint=shop,
        name="left",
        metric="error",
        direction="decrease",
        min_effect=0.1,
        planned_size=100,
        base_split=shop.live_split,
    )
    for number in (1, 2):
        version = shop.model.versions.get(number=number)
        ExperimentArm.objects.create(experiment=draft, key=f"arm-{number}", version=version, weight_bp=5_000)
    assert due() == []
    Experiment.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert due() == [draft.pk]
    look(draft.pk)
    assert Experiment.objects.get().state == "stopped"
    assert running(shop).state == "running"
