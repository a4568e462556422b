"""Batch jobs and upkeep in the background. Every message may be lost, late or doubled without harm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from inference.batch import finish, plan, work
from inference.batch.reconcile import reconcile
from inference.endpoints.warming import forget_old_requests
from inference.monitoring.rollup import roll_up
from inference.routing.convergence import forget_dead_processes
from inference.routing.snapshot import version_ref
from inference.serving.sessions import keep_optimized
from registry.models import ModelVersion, VersionStatus


@shared_task(time_limit=3600)
def plan_job(job_id: str, **_: Any) -> None:
    plan.plan_job(UUID(job_id))


@shared_task(time_limit=300)
def run_chunk(job_id: str, **_: Any) -> None:
    """Computes chunks of the job until none is left or its turn is over. A hung model is ended by the time limit."""
    work.work_on(UUID(job_id))


@shared_task(time_limit=3600)
def finish_job(job_id: str, **_: Any) -> None:
    finish.finish_job(UUID(job_id))


@shared_task(time_limit=60)
def reconcile_jobs(**_: Any) -> None:
    reconcile()


@shared_task(time_limit=60)
def sweep_serving(**_: Any) -> None:
    """Forgets processes that died without leaving, and warm requests that every process has taken."""
    forget_dead_processes()
    forget_old_requests()


@shared_task(time_limit=300)
def optimize_version(version_id: int, **_: Any) -> None:
    version = ModelVersion.objects.filter(pk=version_id, status=VersionStatus.READY).first()
    if version is not None:
        keep_optimized(version_ref(version))


@shared_task(time_limit=300)
def roll_up_windows(**_: Any) -> None:
    roll_up()
