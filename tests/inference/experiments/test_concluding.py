"""Ends: back to what was live, a winner goes on by a rollout, and of two that conclude at once one is told no."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from inference.endpoints.switching import promote
from inference.experiments.concluding import Concluded, conclude, stop
from inference.experiments.deciding import look
from inference.models import Endpoint, Experiment, Rollout, SplitActivation
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, PortalError
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, Notification, VersionStatus
from tests import factories
from tests.inference.experiments.made import counted, endpoint, running

pytestmark = pytest.mark.django_db


def live() -> Endpoint:
    return Endpoint.objects.select_related("live_split", "model", "project").get()


def test_conclude__for_nobody__stops_and_gives_the_traffic_back() -> None:
    experiment = running()
    done = conclude(SYSTEM, experiment, winner=None, reason="enough seen")
    assert (done.experiment.state, done.experiment.conclusion, done.rollout) == ("stopped", "enough seen", None)
    assert (done.switched.changed, live().live_split_id) == (True, experiment.base_split_id)
    assert SplitActivation.objects.get(epoch=live().epoch).kind == "experiment"
    assert AuditEvent.objects.get(action="experiment.stopped").reason == "enough seen"
    assert Notification.objects.get(event="experiment.concluded").body["winner"] is None


def test_conclude__for_the_control__keeps_what_was_without_a_rollout() -> None:
    experiment = running()
    done = conclude(SYSTEM, experiment, winner="control", reason="no gain")
    assert (done.experiment.state, done.experiment.verdict["chosen"], done.rollout) == ("concluded", "control", None)
    assert live().live_split_id == experiment.base_split_id


def test_conclude__for_another_arm__rolls_its_version_out_from_the_base() -> None:
    experiment = counted(running(), control=(3_000, 600), b=(3_000, 150))
    olga = factories.principal("olga", "operator")
    done = conclude(olga, experiment, winner="b", reason="half the failures")
    assert done.rollout is not None
    rollout = Rollout.objects.get(pk=done.rollout.pk)
    assert (rollout.candidate.number, rollout.stable.number, rollout.preset) == (2, 1, "canary")
    assert rollout.base_split_id == experiment.base_split_id
    assert done.experiment.verdict["rollout"] == rollout.pk
    details = AuditEvent.objects.get(action="experiment.concluded").details
    assert (details["winner"], details["code"]) == ("b", "winner")
    assert details["sentence"].startswith("b is better than control")


def test_conclude__again__answers_the_same_and_writes_nothing() -> None:
    experiment = running()
    first = conclude(SYSTEM, experiment, winner="b", reason="x", preset="all_at_once")
    n_events = AuditEvent.objects.count()
    again = conclude(SYSTEM, experiment, winner="b", reason="x", preset="all_at_once")
    assert again.rollout == first.rollout
    assert again.switched.changed is False
    assert (AuditEvent.objects.count(), Rollout.objects.count()) == (n_events, 1)


@pytest.mark.parametrize("other", [None, "control"])
def test_conclude__otherwise_than_before__is_a_conflict_with_the_state(other: str | None) -> None:
    experiment = running()
    conclude(SYSTEM, experiment, winner="b", reason="x")
    with pytest.raises(Conflict) as caught:
        conclude(SYSTEM, experiment, winner=other, reason="x")
    assert caught.value.code == "experiment_ended"
    assert (caught.value.details["state"], caught.value.details["winner"]) == ("concluded", "b")


def test_conclude__at_an_old_version__is_a_conflict() -> None:
    experiment = running()
    with pytest.raises(Conflict) as caught:
        conclude(SYSTEM, experiment, winner=None, reason="x", lock_version=0)
    assert (caught.value.code, caught.value.details["lock_version"]) == ("experiment_moved", 1)
    assert Experiment.objects.get().state == "running"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"winner": "z"}, "unknown_arm"),
        ({"winner": ""}, "unknown_arm"),
        ({"winner": "b", "preset": "moonshot"}, "invalid_preset"),
        ({"winner": None, "reason": " "}, "reason_required"),
    ],
)
def test_conclude__a_wrong_wish__changes_nothing(asked: dict[str, Any], code: str) -> None:
    experiment = running()
    epoch = live().epoch
    with pytest.raises(InvalidInput) as caught:
        conclude(SYSTEM, experiment, **{"reason": "x", **asked})
    assert caught.value.code == code
    assert (Experiment.objects.get().state, live().epoch) == ("running", epoch)


@pytest.mark.parametrize(("role", "error"), [("viewer", NotAllowed), ("data_scientist", NotAllowed), (None, NotFound)])
def test_conclude__no_right__is_refused(role: str | None, error: type[PortalError]) -> None:
    experiment, who = running(), factories.principal("bob", role)
    with pytest.raises(error):
        conclude(who, experiment, winner=None, reason="x")
    assert Experiment.objects.get().state == "running"


def test_conclude__winners_rollout_refused__is_concluded_and_can_be_asked_again() -> None:
    experiment = running()
    versions = experiment.endpoint.model.versions.filter(number=2)
    versions.update(status=VersionStatus.ARCHIVED)
    with pytest.raises(Conflict) as caught:
        conclude(SYSTEM, experiment, winner="b", reason="x")
    assert (caught.value.code, caught.value.details["concluded"]) == ("version_not_ready", True)
    assert (Experiment.objects.get().state, live().live_split_id) == ("concluded", experiment.base_split_id)
    versions.update(status=VersionStatus.READY)
    assert conclude(SYSTEM, experiment, winner="b", reason="x").rollout is not None


def test_conclude__traffic_taken_away_meanwhile__ends_without_moving_any() -> None:
    experiment = running()
    Endpoint.objects.update(live_split=experiment.base_split_id)
    epoch = live().epoch
    done = conclude(SYSTEM, experiment, winner=None, reason="x")
    assert (done.experiment.state, done.switched.changed, live().epoch) == ("stopped", False, epoch)


def test_stop__a_running_one__frees_the_endpoint_for_the_next() -> None:
    shop = endpoint()
    stop(SYSTEM, running(shop), reason="rolled back")
    promote(SYSTEM, live(), factories.version_of(shop, 2), reason="now")
    look(Experiment.objects.get().pk)
    assert live().live_split_id is not None
    assert Experiment.objects.get().state == "stopped"


def test_promote__while_an_experiment_runs__is_a_conflict() -> None:
    experiment = running()
    with pytest.raises(Conflict) as caught:
        promote(SYSTEM, live(), factories.version_of(experiment.endpoint, 2), reason="x")
    assert caught.value.code == "experiment_running"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("winners", "n_lost"), [(("control", None), 1), (("control", "control"), 0)])
def test_conclude__two_at_once__one_end_is_written(winners: tuple[str | None, ...], n_lost: int) -> None:
    experiment = running()
    barrier = threading.Barrier(2)

    def act(winner: str | None) -> Concluded | Conflict:
        barrier.wait()
        try:
            return conclude(SYSTEM, Experiment.objects.get(pk=experiment.pk), winner=winner, reason="race")
        except Conflict as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(act, winners))
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    now = Experiment.objects.get()
    assert [error.code for error in lost] == ["experiment_ended"] * n_lost
    assert all(error.details["state"] == now.state for error in lost)
    assert now.lock_version == 2
    ends = AuditEvent.objects.filter(action__in=["experiment.concluded", "experiment.stopped"])
    assert (ends.count(), live().live_split_id) == (1, experiment.base_split_id)


@pytest.mark.django_db(transaction=True)
def test_start__two_at_once__one_runs_and_the_other_is_told() -> None:
    shop = endpoint()
    barrier = threading.Barrier(2)

    def act(_number: int) -> str:
        mine = Endpoint.objects.select_related("live_split", "model", "project").get(pk=shop.pk)
        barrier.wait()
        try:
            return running(mine).state
        except Conflict as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(act, range(2)))
    assert answers[0] in ("epoch_moved", "experiment_running")
    assert answers[1] == "running"
    assert Experiment.objects.count() == 1
