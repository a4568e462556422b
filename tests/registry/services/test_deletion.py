"""Taking versions and models away, while somebody uses them and while nobody does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from inference.batch.services import _queue as queue_job
from inference.endpoints.services import create_endpoint, delete_endpoint
from inference.endpoints.switching import promote
from inference.endpoints.warming import load_everywhere
from inference.models import BatchJob, Endpoint, JobStatus, MetricWindow, ReplayRun, SplitActivation, WarmRequest
from inference.replay.services import _queue as queue_replay
from inference.routing.snapshot import read_version
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, PortalError
from registry import selectors
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelAlias, ModelVersion, RegisteredModel, VersionStatus
from registry.services import claims
from registry.services import versions as life
from registry.services.aliases import set_alias
from registry.services.catalog import create_model
from registry.services.deletion import archive_version, delete_model, delete_version, restore_version
from tests import factories, graphs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version() -> ModelVersion:
    return factories.make_version(factories.make_model("m"))


def fresh(version: ModelVersion) -> ModelVersion:
    return ModelVersion.objects.select_related("model").get(pk=version.pk)


def kinds(error: Conflict) -> set[tuple[str, str]]:
    return {(use["kind"], use["name"]) for use in error.details["used_by"]}


def refused(act: Callable[..., Any], version: ModelVersion) -> Conflict:
    with pytest.raises(Conflict) as caught:
        act(SYSTEM, version, reason="a test")
    assert caught.value.code == "in_use"
    assert fresh(version).status == VersionStatus.READY
    return caught.value


# --- one version ------------------------------------------------------------------------------------------------------


def test_archive_and_restore__there_and_back_with_a_record(version: ModelVersion) -> None:
    who = factories.principal("sue", "data_scientist")
    archived = archive_version(who, version, reason="too old")
    assert (archived.status, archived.archived_at is not None) == (VersionStatus.ARCHIVED, True)
    assert archive_version(who, version).status == VersionStatus.ARCHIVED
    restored = restore_version(who, fresh(version), reason="needed after all")
    assert (restored.status, restored.archived_at) == (VersionStatus.READY, None)
    told = AuditEvent.objects.order_by("id").values_list("action", "actor_name", "reason")
    assert list(told) == [("version.archived", "sue", "too old"), ("version.restored", "sue", "needed after all")]


def test_archive__what_is_not_ready__says_what_to_do() -> None:
    rejected = factories.make_version(factories.make_model("m"), status=VersionStatus.REJECTED)
    with pytest.raises(Conflict) as caught:
        archive_version(SYSTEM, rejected)
    assert (caught.value.code, caught.value.details) == ("wrong_status", {"version": 1, "status": "rejected"})
    assert str(caught.value) == "Version 1 is rejected: only a ready version can be archived; delete it instead."
    with pytest.raises(Conflict, match="only an archived version can be restored"):
        restore_version(SYSTEM, rejected)


def test_restore__the_same_bytes_came_again__is_refused(version: ModelVersion) -> None:
    archive_version(SYSTEM, version)
    factories.make_version(version.model)
    with pytest.raises(Conflict) as caught:
        restore_version(SYSTEM, version)
    assert (caught.value.code, fresh(version).status) == ("same_bytes", VersionStatus.ARCHIVED)


def test_delete__a_version__is_gone_everywhere_and_its_number_is_not_given_again(version: ModelVersion) -> None:
    delete_version(factories.principal("olga", "owner"), version, reason="a leak")
    assert fresh(version).deleted_at is not None
    with pytest.raises(NotFound):
        selectors.get_version(SYSTEM, "m", 1)
    assert read_version(version.model_id, "1") is None
    event = AuditEvent.objects.get()
    assert (event.action, event.reason, event.details["status"]) == ("version.deleted", "a leak", "ready")
    again = life.upload_version(SYSTEM, selectors.get_model(SYSTEM, "m"), [graphs.add_constant(10.0)])
    assert (again.number, again.sha256) == (2, version.sha256)
    with pytest.raises(NotFound):
        delete_version(SYSTEM, version, reason="twice")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "nul\x00"])
def test_delete__without_a_good_reason__changes_nothing(version: ModelVersion, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        delete_version(SYSTEM, version, reason=reason)
    assert (caught.value.code, fresh(version).deleted_at) == ("reason_required", None)


def test_delete__while_it_is_validated__ends_the_validation(version: ModelVersion) -> None:
    checked = factories.make_version(version.model, 20.0, status=VersionStatus.VALIDATING)
    run = life.begin_validation(checked.pk)
    assert run is not None
    delete_version(SYSTEM, checked, reason="wrong file")
    assert not claims.renew(run)
    assert life.begin_validation(checked.pk) is None
    assert fresh(checked).status == VersionStatus.ARCHIVED


def test_acts__by_those_who_may_not__are_refused(version: ModelVersion) -> None:
    viewer, scientist = factories.principal("bob", "viewer"), factories.principal("sue", "data_scientist")
    with pytest.raises(NotAllowed):
        archive_version(viewer, version)
    with pytest.raises(NotAllowed):
        delete_version(scientist, version, reason="x")
    with pytest.raises(NotAllowed):
        delete_model(scientist, version.model)
    with pytest.raises(NotFound):
        delete_version(factories.principal("charlie"), version, reason="x")


# --- who uses it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [archive_version, delete_version])
def test_acts__while_an_endpoint_serves_it__name_the_endpoint(act: Callable[..., Any]) -> None:
    endpoint = factories.make_endpoint("shop")
    error = refused(act, factories.version_of(endpoint, 1))
    assert ("endpoint", "shop") in kinds(error)
    assert "endpoint “shop” serves it: promote another version there first" in str(error)


def test_archive__what_an_endpoint_rolls_back_to__waits_or_takes_one_more_move(settings: Any) -> None:
    endpoint = factories.make_endpoint("shop", n_versions=3)
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="a test")
    WarmRequest.objects.all().delete()
    error = refused(archive_version, factories.version_of(endpoint, 1))
    assert kinds(error) == {("previous", "shop")}
    assert "can roll back to it until" in str(error)
    assert "move its traffic once more" in str(error)
    settings.PORTAL_ROLL_BACK_HOURS = 0
    archive_version(SYSTEM, factories.version_of(endpoint, 1))
    settings.PORTAL_ROLL_BACK_HOURS = 24
    promote(SYSTEM, Endpoint.objects.get(), factories.version_of(endpoint, 3), reason="a test")
    WarmRequest.objects.all().delete()
    delete_version(SYSTEM, factories.version_of(endpoint, 1), reason="a test")
    assert kinds(refused(delete_version, factories.version_of(endpoint, 2))) == {("previous", "shop")}


def test_delete__after_its_endpoint_was_deleted__works() -> None:
    endpoint = factories.make_endpoint("shop")
    delete_endpoint(SYSTEM, endpoint, reason="a test")
    WarmRequest.objects.all().delete()
    delete_version(SYSTEM, factories.version_of(endpoint, 1), reason="a test")
    assert SplitActivation.objects.get().split.shares.get().variant.version.number == 1


def test_archive__what_is_kept_warm_or_loaded_a_moment_ago__is_refused() -> None:
    endpoint = factories.make_endpoint("shop", promoted=None)
    version = factories.version_of(endpoint, 1)
    kept = Endpoint.objects.filter(pk=endpoint.pk)
    kept.update(warm_version=version, warm_until=timezone.now() + timedelta(hours=1))
    assert kinds(refused(archive_version, version)) == {("warm", "shop")}
    kept.update(warm_until=timezone.now() - timedelta(seconds=1))
    request = WarmRequest.objects.create(version=version, sequence=1)
    assert kinds(refused(archive_version, version)) == {("loading", "")}
    WarmRequest.objects.filter(pk=request.pk).update(created_at=timezone.now() - timedelta(minutes=5))
    assert archive_version(SYSTEM, version).status == VersionStatus.ARCHIVED


def test_archive__while_callers_name_it_in_the_url__is_refused() -> None:
    endpoint = factories.make_endpoint("shop", promoted=None)
    version, now = factories.version_of(endpoint, 1), timezone.now()
    facts = {"process": "00000000-0000-0000-0000-000000000001", "endpoint": endpoint, "version": version, "n_ok": 3}
    row = MetricWindow.objects.create(seq=1, started_at=now, ended_at=now, variant="", **facts)
    assert kinds(refused(archive_version, version)) == {("callers", "shop")}
    MetricWindow.objects.filter(pk=row.pk).update(variant="stable")
    assert archive_version(SYSTEM, version).status == VersionStatus.ARCHIVED


def test_archive__while_a_rollout_or_an_experiment_runs__names_it() -> None:
    rollout = factories.make_rollout(factories.make_endpoint("r"), draft=True)
    assert ("rollout", str(rollout.pk)) in kinds(refused(archive_version, rollout.candidate))
    assert ("rollout", str(rollout.pk)) in kinds(refused(archive_version, rollout.stable))
    experiment = factories.make_experiment(factories.make_endpoint("x"))
    WarmRequest.objects.all().delete()
    arm = factories.version_of(experiment.endpoint, 2)
    assert kinds(refused(archive_version, arm)) == {("endpoint", "x"), ("experiment", str(experiment.pk))}


def test_archive__while_jobs_replays_or_aliases_need_it__names_them(version: ModelVersion) -> None:
    job = factories.make_job(version)
    BatchJob.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING)
    endpoint = create_endpoint(SYSTEM, version.model, "shop")
    replay = ReplayRun.objects.create(endpoint=endpoint, stable=version, candidate=version, source="captured")
    set_alias(SYSTEM, version, "champion")
    error = refused(archive_version, version)
    assert kinds(error) == {("job", str(job.pk)), ("replay", str(replay.pk)), ("alias", "champion")}
    BatchJob.objects.update(status=JobStatus.SUCCEEDED)
    ReplayRun.objects.update(state=ReplayRun.State.PASSED)
    ModelAlias.objects.all().delete()
    assert archive_version(SYSTEM, version).status == VersionStatus.ARCHIVED


def test_job_replay_and_endpoint__of_what_was_taken_away_meanwhile__are_refused(version: ModelVersion) -> None:
    """Each was checked when its caller came; the rows in his hands are old by now."""
    endpoint = create_endpoint(SYSTEM, version.model, "shop")
    archive_version(SYSTEM, version)
    job = BatchJob(project=version.model.project, version=version, format="csv", input_sha256="0" * 64, input_size=1)
    replay = ReplayRun(endpoint=endpoint, stable=version, candidate=version, source="captured")
    for act in (
        lambda: queue_job(SYSTEM, job, version, None),
        lambda: queue_replay(SYSTEM, replay),
        lambda: load_everywhere([version]),
        lambda: set_alias(SYSTEM, version, "champion"),
    ):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "version_not_ready"
    assert (BatchJob.objects.count(), ReplayRun.objects.count(), WarmRequest.objects.count()) == (0, 0, 0)
    delete_endpoint(SYSTEM, endpoint, reason="a test")
    delete_model(SYSTEM, version.model)
    with pytest.raises(NotFound):
        create_endpoint(SYSTEM, version.model, "shop")


# --- a whole model ----------------------------------------------------------------------------------------------------


def test_delete_model__without_endpoints__frees_the_name_and_keeps_the_rows(version: ModelVersion) -> None:
    set_alias(SYSTEM, version, "champion")
    job = factories.make_job(version)
    delete_model(SYSTEM, version.model, reason="an experiment of mine")
    with pytest.raises(NotFound):
        selectors.get_model(SYSTEM, "m")
    event = AuditEvent.objects.get(action="model.deleted")
    assert (event.reason, event.details) == ("an experiment of mine", {"versions": [1], "aliases": ["champion"]})
    assert str(BatchJob.objects.get(pk=job.pk).version) == "m v1"
    again = create_model(SYSTEM, version.model.project, "m")
    assert (again.last_number, RegisteredModel.objects.filter(name="m").count()) == (0, 2)
    assert list(selectors.versions_of(again)) == []


def test_delete_model__with_an_endpoint_that_serves_nothing__names_it() -> None:
    endpoint = factories.make_endpoint("shop", promoted=None)
    with pytest.raises(Conflict) as caught:
        delete_model(SYSTEM, endpoint.model)
    assert caught.value.details == {"used_by": [{"kind": "endpoint", "name": "shop", "live": True}]}
    assert "endpoint “shop” is its address: delete the endpoint first" in str(caught.value)


# --- two people at once -----------------------------------------------------------------------------------------------


def both(*acts: Callable[[], Any]) -> list[str]:
    """Each act in a thread and connection of its own, begun at the same moment: what became of each."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> str:
        barrier.wait()
        try:
            act()
        except PortalError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize("take_away", [archive_version, delete_version])
def test_race__against_promote__exactly_one_succeeds(take_away: Callable[..., Any]) -> None:
    seen = set()
    for number in range(8):
        endpoint = factories.make_endpoint(f"shop-{number}", n_versions=2)
        version = factories.version_of(endpoint, 2)
        first, second = both(
            lambda e=endpoint, v=version: promote(SYSTEM, e, v, reason="a test"),
            lambda v=version: take_away(SYSTEM, v, reason="a test"),
        )
        assert (first, second) in {("done", "in_use"), ("version_not_ready", "done")}
        live = Endpoint.objects.get(pk=endpoint.pk).live_split.shares.get().variant.version
        assert (live.status, live.deleted_at) == (VersionStatus.READY, None)
        seen.add(first)
    assert seen <= {"done", "version_not_ready"}


def test_race__against_an_alias__exactly_one_succeeds() -> None:
    model = factories.make_model("m")
    for number in range(8):
        version = factories.make_version(model, 10.0 * number)
        name = f"a{number}"
        outcomes = both(
            lambda v=version, n=name: set_alias(SYSTEM, v, n),
            lambda v=version: archive_version(SYSTEM, v),
        )
        assert tuple(outcomes) in {("done", "in_use"), ("version_not_ready", "done")}
        held = ModelAlias.objects.filter(name=name).exists()
        assert held == (fresh(version).status == VersionStatus.READY)


def test_race__against_a_job__exactly_one_succeeds() -> None:
    model = factories.make_model("m")
    for number in range(8):
        version = factories.make_version(model, 10.0 * number)
        job = BatchJob(project=model.project, version=version, format="csv", input_sha256="0" * 64, input_size=1)
        outcomes = both(
            lambda v=version, j=job: queue_job(SYSTEM, j, v, None),
            lambda v=version: delete_version(SYSTEM, v, reason="a test"),
        )
        assert tuple(outcomes) in {("done", "in_use"), ("version_not_ready", "done")}


def test_race__a_new_endpoint_against_deleting_the_model__exactly_one_succeeds() -> None:
    for number in range(8):
        model = factories.make_version(factories.make_model(f"m-{number}")).model
        outcomes = both(
            lambda m=model: create_endpoint(SYSTEM, m, m.name),
            lambda m=model: delete_model(SYSTEM, m),
        )
        assert tuple(outcomes) in {("done", "in_use"), ("not_found", "done")}


def test_race__two_who_delete__one_does_and_one_finds_nothing(version: ModelVersion) -> None:
    outcomes = both(*[lambda: delete_version(SYSTEM, version, reason="a test")] * 2)
    assert sorted(outcomes) == ["done", "not_found"]
    assert AuditEvent.objects.filter(action="version.deleted").count() == 1
