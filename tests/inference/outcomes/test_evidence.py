"""Outcomes as evidence of rollouts, and as rewards of experiments: each once."""

from __future__ import annotations

from typing import Any

import pytest

from inference.models import Endpoint, ExposedUnit, Outcome, Rollout
from inference.outcomes.evidence import take
from inference.outcomes.rewards import add_rewards
from inference.outcomes.services import report_many
from registry.access.principal import SYSTEM
from tests import factories
from tests.inference.outcomes.kept import add_split, ago, keep_record, make_experiment, make_rollout

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint() -> Endpoint:
    return factories.make_endpoint("shop")


def tell(*ids: str, **truth: Any) -> None:
    report_many(SYSTEM, [{"request_id": name, **(truth or {"label": 1})} for name in ids], "shop")


def answer(rollout: Rollout, name: str, variant: str = "canary", prediction: Any = 1, **facts: Any) -> None:
    keep_record(rollout.endpoint, name, prediction, **{"split": rollout.splits.first(), **facts}, variant=variant)


def test_take__right_and_wrong_of_both_arms__counted_once(endpoint: Endpoint) -> None:
    rollout = make_rollout(endpoint)
    for place in range(3):
        answer(rollout, f"c{place}", prediction=0 if place == 0 else 1)
    for place in range(5):
        answer(rollout, f"s{place}", "stable", prediction=0 if place < 2 else 1)
    tell(*(f"c{place}" for place in range(3)), *(f"s{place}" for place in range(5)))
    assert take(rollout, 4) == (3, 5, 1, 2)
    assert set(Outcome.objects.values_list("taken", flat=True)) == {4}
    assert take(rollout, 5) is None
    answer(rollout, "c9")
    tell("c9")
    assert take(rollout, 6) == (1, 0, 0, 0)


def test_take__splits_of_all_stages__all_counted(endpoint: Endpoint) -> None:
    rollout = make_rollout(endpoint)
    answer(rollout, "a")
    answer(rollout, "b", split=add_split(endpoint, rollout=rollout))
    tell("a", "b")
    assert take(rollout, 1) == (2, 0, 0, 0)


def test_take__what_is_no_evidence__left_out(endpoint: Endpoint) -> None:
    rollout, other = make_rollout(endpoint, attribution_seconds=60), add_split(endpoint)
    answer(rollout, "late", at=ago(seconds=90))
    answer(rollout, "pinned", variant="")
    answer(rollout, "elsewhere", split=other)
    answer(rollout, "ruled", split=None)
    answer(rollout, "unjudged", prediction=None)
    answer(rollout, "reward-only")
    tell("late", "pinned", "elsewhere", "ruled", "unjudged")
    tell("reward-only", reward=1)
    tell("not-captured")
    assert take(rollout, 1) is None
    assert not Outcome.objects.exclude(taken=None).exists()


def test_take__not_matured__waits(endpoint: Endpoint) -> None:
    rollout = make_rollout(endpoint, attribution_seconds=3_600, waits_for_attribution=True)
    answer(rollout, "a", at=ago(seconds=3_599))
    tell("a")
    assert take(rollout, 1) is None
    Outcome.objects.update(matures_at=ago(seconds=1))
    assert take(rollout, 2) == (1, 0, 0, 0)


def test_take__corrected_before_and_after__only_the_first_truth_counts(endpoint: Endpoint) -> None:
    rollout = make_rollout(endpoint)
    answer(rollout, "a", prediction=1)
    tell("a", label=2)
    tell("a", label=1)
    assert take(rollout, 1) == (1, 0, 0, 0)
    tell("a", label=2)
    assert take(rollout, 2) is None


def test_add_rewards__rewards_of_known_keys__summed_once(endpoint: Endpoint) -> None:
    experiment = make_experiment(endpoint, "reward")
    split = experiment.splits.get()
    for name, unit, variant in (("a", 1, "stable"), ("b", 1, "stable"), ("c", 2, "other"), ("d", 3, "other")):
        keep_record(endpoint, name, split=split, unit=unit, variant=variant)
    keep_record(endpoint, "late", split=split, unit=1, at=ago(days=8))
    for name, reward in (("a", 1.5), ("b", -0.5), ("c", 4), ("d", 9), ("late", 100)):
        tell(name, reward=reward)
    assert add_rewards(experiment) == 3
    assert add_rewards(experiment) == 0
    sums = list(ExposedUnit.objects.order_by("unit").values_list("unit", "n_rewards", "reward"))
    assert sums == [(1, 2, 1.0), (2, 1, 4.0)]
    assert set(Outcome.objects.filter(taken=3).values_list("request_id", flat=True)) == {"a", "b", "c"}
    ExposedUnit.objects.create(experiment=experiment, unit=3, variant="other", first_at=ago(minutes=1))
    assert add_rewards(experiment) == 1


def test_add_rewards__agreement__one_for_right_and_nothing_for_wrong(endpoint: Endpoint) -> None:
    experiment = make_experiment(endpoint, "agreement")
    for name, prediction in (("a", 1), ("b", 0)):
        keep_record(endpoint, name, prediction, split=experiment.splits.get(), unit=1)
    tell("a", "b")
    assert add_rewards(experiment) == 2
    assert ExposedUnit.objects.filter(unit=1).values_list("n_rewards", "reward").get() == (2, 1.0)


def test_add_rewards__metric_without_outcomes__nothing(endpoint: Endpoint) -> None:
    assert add_rewards(make_experiment(endpoint, "latency")) == 0
