"""Counting evidence in one process: what counts, for which arm, and what is left out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from inference.monitoring import evidence as counting
from inference.monitoring.arms import Arm, Pairs
from inference.monitoring.evidence import ArmKey, Evidence
from inference.monitoring.histogram import bucket_of
from inference.monitoring.warming import N_WARM_UP
from inference.routing.snapshot import Route, Target, VersionRef
from registry.artifacts.signature import Signature

SECOND = bucket_of(1.0)


def route_of(split_id: int = 7, **facts: Any) -> Route:
    versions = {
        key: VersionRef(number, number, f"digest-{key}", Signature((), ()), 1e-5)
        for number, key in enumerate(("stable", "canary"), 1)
    }
    targets = {key: Target(key, version) for key, version in versions.items()}
    facts = {"rollout_id": 1, **facts}
    return Route(1, "shop", 1, 1, "m", "", 1, None, targets, split_id=split_id, revision=split_id, **facts)


@pytest.fixture
def noted() -> Evidence:
    return Evidence()


def note(noted: Evidence, route: Route, variant: str = "canary", n: int = 1, **facts: Any) -> None:
    """`n` good answers of a second each, unless `facts` say otherwise."""
    given = {"unit": None, "status": 200, "code": "", "seconds": 1.0, **facts}
    for _ in range(n):
        noted.note(route, variant, **given)


def arms_of(noted: Evidence) -> dict[tuple[str, bool], Arm]:
    return {(key.variant, key.is_keyed): arm for key, arm in noted.take().arms.items() if isinstance(arm, Arm)}


# --- what counts ------------------------------------------------------------------------------------------------------


def test_note__keyed_and_drawn__apart(noted: Evidence) -> None:
    route = route_of()
    note(noted, route, n=3)
    note(noted, route, n=2, unit=5)
    note(noted, route, "stable")
    assert {key: (arm.n, arm.n_bad, arm.latency) for key, arm in arms_of(noted).items()} == {
        ("canary", False): (3, 0, {SECOND: 3}),
        ("canary", True): (2, 0, {SECOND: 2}),
        ("stable", False): (1, 0, {SECOND: 1}),
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "wrong_shape"),
        (401, "invalid_token"),
        (413, "too_large"),
        (429, "rate_limited"),
        (503, "overloaded"),
        (504, "deadline_in_queue"),
    ],
)
def test_note__the_callers_fault_or_turned_away__no_exposure(noted: Evidence, status: int, code: str) -> None:
    note(noted, route_of(), status=status, code=code)
    assert (noted.take().arms, noted.urgent.is_set()) == ({}, False)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"status": 422, "code": "model_refused"}, "model_refused"),
        ({"status": 500, "code": "internal"}, "internal"),
        ({"status": 503, "code": "model_not_loadable"}, "model_not_loadable"),
        ({"status": 504, "code": "deadline_exceeded"}, "deadline_exceeded"),
        ({"finite": False}, "not_finite"),
        ({"fits": False}, "contract"),
    ],
)
def test_note__the_models_fault__bad_by_its_code_and_no_latency(
    noted: Evidence, facts: dict[str, Any], code: str
) -> None:
    note(noted, route_of(), n=2, **facts)
    (arm,) = arms_of(noted).values()
    assert (arm.n, arm.n_bad, dict(arm.codes), arm.latency) == (2, 2, {code: 2}, {})
    assert arm.contract == (2 if code == "contract" else 0)


def test_take__twice__the_second_is_empty(noted: Evidence) -> None:
    note(noted, route_of())
    first, second = noted.take(), noted.take()
    assert (len(first.arms), second.arms, second.began) == (1, {}, first.ended)


def test_urgent__first_bad_answer_of_a_rollout__until_it_is_taken(noted: Evidence) -> None:
    note(noted, route_of())
    assert not noted.urgent.is_set()
    note(noted, route_of(rollout_id=None, experiment_id=3), finite=False)
    assert not noted.urgent.is_set()
    note(noted, route_of(), finite=False)
    assert noted.urgent.is_set()
    noted.take()
    assert not noted.urgent.is_set()


# --- time-outs --------------------------------------------------------------------------------------------------------

TIMEOUT = {"status": 504, "code": "deadline_exceeded", "seconds": 30.0}


def test_streak__time_outs_in_a_row__over_windows_until_a_good_answer(noted: Evidence) -> None:
    route = route_of()
    note(noted, route, **TIMEOUT)
    assert arms_of(noted)["canary", False].streak == 1
    note(noted, route, n=2, **TIMEOUT)
    note(noted, route, status=422, code="model_refused")
    note(noted, route, "stable")
    assert arms_of(noted)["canary", False].streak == 3
    note(noted, route)
    note(noted, route, **TIMEOUT)
    assert arms_of(noted)["canary", False].streak == 1


def test_streak__the_caller_allowed_less_time__is_bad_but_no_streak(noted: Evidence) -> None:
    note(noted, route_of(), n=3, **{**TIMEOUT, "seconds": 0.001})
    (arm,) = arms_of(noted).values()
    assert (arm.n_bad, arm.streak) == (3, 0)


# --- warming up -------------------------------------------------------------------------------------------------------


def test_warm_up__one_session_is_new__times_of_both_arms_are_left_out(noted: Evidence) -> None:
    route = route_of()
    noted.note_load("digest-canary")
    for variant, n in (("stable", 50), ("canary", 30)):
        note(noted, route, variant, n)
    arms = arms_of(noted)
    assert (arms["stable", False].n, arms["stable", False].latency) == (50, {SECOND: 50 - N_WARM_UP})
    assert (arms["canary", False].n, arms["canary", False].latency) == (30, {SECOND: 30 - N_WARM_UP})
    assert arms["canary", False].fields()["details"] == {"warm_up": N_WARM_UP}


def test_warm_up__counts_over_windows_and_keys_together(noted: Evidence) -> None:
    route = route_of()
    noted.note_load("digest-canary")
    for _ in range(N_WARM_UP // 2):
        note(noted, route)
        note(noted, route, unit=1)
        assert all(not arm.latency for arm in arms_of(noted).values())
    note(noted, route)
    assert arms_of(noted)["canary", False].latency == {SECOND: 1}


def test_warm_up__bad_answers__count_from_the_first(noted: Evidence) -> None:
    noted.note_load("digest-canary")
    note(noted, route_of(), n=3, finite=False)
    (arm,) = arms_of(noted).values()
    assert (arm.n, arm.n_bad, noted.urgent.is_set()) == (3, 3, False)
    note(noted, route_of(), finite=False)
    assert noted.urgent.is_set()


def test_warm_up__next_stage_with_the_same_sessions__none(noted: Evidence) -> None:
    noted.note_load("digest-canary")
    for variant in ("stable", "canary"):
        note(noted, route_of(1), variant, N_WARM_UP)
    noted.take()
    for variant in ("stable", "canary"):
        note(noted, route_of(2), variant)
    assert [arm.latency for arm in arms_of(noted).values()] == [{SECOND: 1}] * 2


def test_warm_up__next_stage_before_it_was_over__begins_anew_for_both(noted: Evidence) -> None:
    noted.note_load("digest-canary")
    note(noted, route_of(1), "stable", N_WARM_UP)
    note(noted, route_of(1), "canary", N_WARM_UP - 1)
    noted.take()
    for variant in ("stable", "canary"):
        note(noted, route_of(2), variant)
    assert [arm.latency for arm in arms_of(noted).values()] == [{}, {}]


def test_warm_up__session_loaded_again__begins_anew_and_another_ones_load_does_not_matter(noted: Evidence) -> None:
    route = route_of()
    note(noted, route, "stable")
    noted.note_load("digest-of-another-endpoint")
    note(noted, route, "stable")
    assert arms_of(noted)["stable", False].latency == {SECOND: 2}
    noted.note_load("digest-stable")
    for variant in ("stable", "canary"):
        note(noted, route, variant)
    assert [arm.latency for arm in arms_of(noted).values()] == [{}, {}]


# --- units ------------------------------------------------------------------------------------------------------------


def test_units__rollout__only_keys_with_a_bad_answer(noted: Evidence) -> None:
    note(noted, route_of(), n=2, unit=5)
    note(noted, route_of(), unit=-6, n=2, finite=False, seconds=0.5)
    (arm,) = arms_of(noted).values()
    assert arm.fields()["units"] == [[-6, 2, 2, 1.0]]


def test_units__experiment__all_keys_and_none_of_what_was_drawn(noted: Evidence) -> None:
    route = route_of(rollout_id=None, experiment_id=3)
    note(noted, route, n=2, unit=5, seconds=0.25)
    note(noted, route, unit=5, seconds=0.5, status=422, code="model_refused")
    note(noted, route, unit=6, seconds=1.0)
    note(noted, route)
    arms = arms_of(noted)
    assert arms["canary", True].fields()["units"] == [[5, 3, 1, 1.0], [6, 1, 0, 1.0]]
    assert arms["canary", False].fields()["units"] == []


def test_units__more_than_may_wait__dropped_and_counted_until_some_are_written(
    noted: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_UNITS", 2)
    route = route_of(rollout_id=None, experiment_id=3)
    for unit in (1, 2, 3, 1):
        note(noted, route, unit=unit)
    taken = noted.take()
    (arm,) = taken.arms.values()
    assert arm.fields()["units"] == [[1, 2, 0, 2.0], [2, 1, 0, 1.0]]
    assert arm.fields()["details"] == {"units_dropped": 1}
    note(noted, route, unit=4)
    assert arms_of(noted)["canary", True].fields()["details"] == {"units_dropped": 1}
    noted.release(taken.n_units)
    note(noted, route, unit=4)
    assert arms_of(noted)["canary", True].fields()["units"] == [[4, 1, 0, 1.0]]


# --- the shadow -------------------------------------------------------------------------------------------------------


def test_note_pair__kinds_and_drops__counted_apart(noted: Evidence) -> None:
    for kind, max_abs in (("", 0.25), ("numeric", 2.0), ("numeric", math.nan), ("top1", None), ("missing", None)):
        noted.note_pair(7, disagreed=bool(kind), kind=kind, max_abs=max_abs, seconds=1.0)
    noted.note_pair(7, disagreed=True, kind="error", max_abs=None, seconds=1.0)
    noted.note_dropped(7)
    ((key, pairs),) = noted.take().arms.items()
    assert isinstance(pairs, Pairs)
    assert key == ArmKey(7, "shadow", is_keyed=False)
    assert pairs.fields() == {
        "n": 6,
        "n_bad": 5,
        "latency": {str(SECOND): 5},
        "details": {"numeric": 2, "flips": 1, "missing": 1, "errors": 1, "dropped": 1, "max_abs": 2.0},
    }


def test_forget__in_a_forked_child__nothing_left(noted: Evidence) -> None:
    note(noted, route_of(), n=2, finite=False)
    noted.note_dropped(7)
    noted.forget()
    assert (noted.take().arms, noted.urgent.is_set()) == ({}, False)
