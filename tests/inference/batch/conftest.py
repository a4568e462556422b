from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from inference.batch import results, sizes
from inference.batch.finish import finish_job
from inference.batch.plan import plan_job
from inference.batch.services import submit_job
from inference.batch.submission import Wish
from inference.batch.work import work_on
from inference.models import BatchChunk, BatchJob
from registry.access.principal import Principal, principal_of_user
from registry.artifacts.signature import Signature
from registry.models import Membership, ModelVersion, Project, RegisteredModel, User
from registry.services.artifacts import artifact_store, job_store
from tests import graphs
from tests.inference.batch.tables import signature

PLUS_ONE = signature({"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4))})


@pytest.fixture
def home(settings, tmp_path: Path) -> Iterator[Path]:
    """A data directory of this test's own."""
    settings.DATA_DIR = tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()
    yield tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()


@pytest.fixture
def project(transactional_db) -> Project:
    return Project.objects.create(slug="default", name="Default")


@pytest.fixture
def principal_for(project: Project) -> Callable[..., Principal]:
    def make(name: str, role: str | None = "data_scientist") -> Principal:
        user, _ = User.objects.get_or_create(username=name)
        if role:
            Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
        return principal_of_user(user)

    return make


@pytest.fixture
def alice(principal_for) -> Principal:
    return principal_for("alice")


@pytest.fixture
def version_of(home: Path, project: Project) -> Callable[..., ModelVersion]:
    def make(model: bytes, contract: Signature, name: str = "plus", number: int = 1) -> ModelVersion:
        blob = artifact_store().receive([model], limit=1 << 30)
        registered, _ = RegisteredModel.objects.get_or_create(project=project, name=name)
        return ModelVersion.objects.create(
            model=registered,
            number=number,
            status="ready",
            sha256=blob.sha256,
            size=blob.size,
            signature=contract.as_json(),
        )

    return make


@pytest.fixture
def version(version_of) -> ModelVersion:
    """y = x + 1 over four columns."""
    return version_of(graphs.add_constant(1.0), PLUS_ONE)


@pytest.fixture
def submit(alice: Principal, version: ModelVersion) -> Callable[..., BatchJob]:
    def make(data: bytes, **wish) -> BatchJob:
        wish = {"model": version.model.name, "version": version.number, "file_name": "rows.csv", **wish}
        return submit_job(alice, Wish(**wish), [data]).job

    return make


@pytest.fixture
def run_to_end() -> Callable[[BatchJob], BatchJob]:
    """What the workers do, in this process."""

    def run(job: BatchJob) -> BatchJob:
        plan_job(job.pk)
        work_on(job.pk)
        finish_job(job.pk)
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(sizes, "CHUNK_ROWS", 10)


@pytest.fixture
def planned(submit, small_chunks) -> BatchJob:
    job = submit(table(30))
    plan_job(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def rings(monkeypatch) -> list[str]:
    """Hears what would go to the broker."""
    heard: list[str] = []
    monkeypatch.setattr("inference.batch.doorbell.ring", lambda task, *_, **__: heard.append(task.rsplit(".", 1)[-1]))
    return heard


def table(n_rows: int) -> bytes:
    return b"x_0,x_1,x_2,x_3\n" + b"".join(b"%d,%d,%d,%d\n" % (i, i + 1, i + 2, i + 3) for i in range(n_rows))


def answers(n_rows: int) -> bytes:
    """What `y = x + 1` makes of `table(n_rows)`."""
    lines = (b"%d.0,%d.0,%d.0,%d.0\n" % (i + 1, i + 2, i + 3, i + 4) for i in range(n_rows))
    return b"y_0,y_1,y_2,y_3\n" + b"".join(lines)


def output(job: BatchJob) -> bytes:
    return results.open_output(job).read()


def later(seconds: float = 0) -> None:
    """Lets every lease end and every job be older than a ring takes."""
    past = timezone.now() - timedelta(seconds=60)
    BatchChunk.objects.filter(status="running").update(lease_expires_at=past)
    BatchJob.objects.update(created_at=past)
    BatchJob.objects.exclude(lease_expires_at=None).update(lease_expires_at=past)
