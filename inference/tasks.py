"""Batch jobs in the background. Every message may be lost, late or doubled without harm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from inference.batch import finish, plan, work
from inference.batch.reconcile import reconcile
from inference.endpoints.warming import forget_old_requests
from inference.routing.convergence import forget_dead_processes


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
