"""Experiments, runs and logged models: who may, what is recorded, and what deletion takes along."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.lib.errors import Conflict, InvalidInput, NotAllowed
from registry.access.principal import SYSTEM, Principal
from registry.models import AuditEvent, LoggedModel, TrackingExperiment, TrackingRun
from registry.services import tracking, tracking_notes
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment() -> TrackingExperiment:
    return tracking.create_experiment(SYSTEM, factories.make_project(), "churn")


def deleted(run: TrackingRun) -> bool:
    run.refresh_from_db()
    return run.deleted_at is not None


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_experiment__deleted_and_restored__takes_its_runs_along_and_no_others(experiment: TrackingExperiment) -> None:
    elsewhere = tracking.create_experiment(SYSTEM, experiment.project, "other")
    alive, gone = (tracking.create_run(SYSTEM, experiment, name=name) for name in ("alive", "gone"))
    theirs = tracking.create_run(SYSTEM, elsewhere)
    tracking.delete_run(SYSTEM, gone)
    tracking.delete_experiment(SYSTEM, experiment)
    assert [deleted(run) for run in (alive, gone, theirs)] == [True, True, False]
    tracking.restore_experiment(SYSTEM, experiment)
    assert [deleted(run) for run in (alive, gone, theirs)] == [False, True, False]


def test_experiment__deleted_or_restored_twice__recorded_once(experiment: TrackingExperiment) -> None:
    for act in (tracking.delete_experiment, tracking.delete_experiment):
        act(SYSTEM, experiment)
    for act in (tracking.restore_experiment, tracking.restore_experiment):
        act(SYSTEM, experiment)
    assert actions() == [
        "training_experiment.created", "training_experiment.deleted", "training_experiment.restored",
    ]  # fmt: skip


def test_experiment__renamed__recorded_with_both_names_unless_taken_or_deleted(experiment: TrackingExperiment) -> None:
    tracking.create_experiment(SYSTEM, experiment.project, "taken")
    with pytest.raises(Conflict, match="taken"):
        tracking.rename_experiment(SYSTEM, experiment, "taken")
    tracking.rename_experiment(SYSTEM, experiment, "leave")
    assert AuditEvent.objects.get(action="training_experiment.renamed").details == {"from": "churn", "to": "leave"}
    tracking.delete_experiment(SYSTEM, experiment)
    with pytest.raises(InvalidInput, match="restore it first"):
        tracking.rename_experiment(SYSTEM, experiment, "again")
    assert TrackingExperiment.objects.get(pk=experiment.pk).name == "leave"


def test_experiment__deleted__takes_no_run_and_no_logged_model(experiment: TrackingExperiment) -> None:
    tracking.delete_experiment(SYSTEM, experiment)
    experiment.refresh_from_db()
    with pytest.raises(InvalidInput, match=r"The experiment “churn” is deleted: restore it first\."):
        tracking.create_run(SYSTEM, experiment)
    with pytest.raises(InvalidInput, match="restore it first"):
        tracking.create_logged_model(SYSTEM, experiment, "m", tags={}, params={})
    assert not TrackingRun.objects.exists()
    assert not LoggedModel.objects.exists()


def test_logged_model__of_a_run_of_another_project__refused(experiment: TrackingExperiment) -> None:
    elsewhere = tracking.create_experiment(SYSTEM, factories.make_project("elsewhere"), "churn")
    run = tracking.create_run(SYSTEM, elsewhere)
    with pytest.raises(InvalidInput, match="another project"):
        tracking.create_logged_model(SYSTEM, experiment, "m", run=run, tags={}, params={})


def test_run__deleted_meanwhile__note_of_a_stale_object_refused(experiment: TrackingExperiment) -> None:
    run = tracking.create_run(SYSTEM, experiment)
    tracking.delete_run(SYSTEM, TrackingRun.objects.get(pk=run.pk))
    with pytest.raises(InvalidInput, match="is deleted"):
        tracking_notes.log(SYSTEM, run, params={"a": "1"})
    with pytest.raises(InvalidInput, match="is deleted"):
        tracking.edit_run(SYSTEM, run, status="FINISHED")
    assert TrackingRun.objects.get(pk=run.pk).status == "RUNNING"


def test_run__deleted_and_restored_twice__recorded_once_each(experiment: TrackingExperiment) -> None:
    run = tracking.create_run(SYSTEM, experiment)
    for act in (tracking.delete_run, tracking.delete_run, tracking.restore_run, tracking.restore_run):
        act(SYSTEM, run)
    assert actions()[1:] == ["training_run.deleted", "training_run.restored"]


def test_outputs__more_than_a_run_can_name__refused_and_nothing_kept(experiment: TrackingExperiment) -> None:
    run = tracking.create_run(SYSTEM, experiment)
    tracking_notes.add_outputs(SYSTEM, run, [{"model_id": "m-1", "step": 0}] * 2)
    with pytest.raises(InvalidInput, match="than one run can name"):
        tracking_notes.add_outputs(SYSTEM, run, [{"model_id": "m" * 40, "step": step} for step in range(20_000)])
    assert TrackingRun.objects.get(pk=run.pk).outputs == [{"model_id": "m-1", "step": 0}]


ACTS: dict[str, Callable[[Principal, TrackingRun], object]] = {
    "create_run": lambda who, run: tracking.create_run(who, run.experiment),
    "edit_run": lambda who, run: tracking.edit_run(who, run, status="FAILED"),
    "delete_run": tracking.delete_run,
    "restore_run": tracking.restore_run,
    "rename": lambda who, run: tracking.rename_experiment(who, run.experiment, "x"),
    "delete": lambda who, run: tracking.delete_experiment(who, run.experiment),
    "restore": lambda who, run: tracking.restore_experiment(who, run.experiment),
    "log": lambda who, run: tracking_notes.log(who, run, tags={"a": "b"}),
    "note": lambda who, run: tracking_notes.note(who, run.experiment, tags={"a": "b"}),
    "outputs": lambda who, run: tracking_notes.add_outputs(who, run, []),
    "model": lambda who, run: tracking.create_logged_model(who, run.experiment, "m", tags={}, params={}),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_act__viewer__may_not(experiment: TrackingExperiment, act: str) -> None:
    run = tracking.create_run(SYSTEM, experiment)
    with pytest.raises(NotAllowed):
        ACTS[act](factories.principal("bob", "viewer"), run)
