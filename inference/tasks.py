"""Batch jobs and upkeep in the background. Every message may be lost, late or doubled without harm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from inference.batch import finish, plan, work
from inference.batch.reconcile import reconcile
from inference.endpoints.warming import forget_old_requests
from inference.experiments.deciding import look_at_all as look_at_experiments
from inference.golden import running as golden
from inference.golden.upkeep import ring_for_missed
from inference.monitoring.rollup import roll_up
from inference.outcomes import imports as outcome_imports
from inference.outcomes.joining import forget_unjoined, join_waiting
from inference.replay import running as replays
from inference.replay.services import reconcile_replays
from inference.rollouts.sweeping import forget_old_evidence
from inference.rollouts.validation import validate
from inference.routing.convergence import forget_dead_processes
from inference.routing.snapshot import version_ref
from inference.serving.record_rows import forget_old_records
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
def validate_rollout(rollout_id: int, **_: Any) -> None:
    validate(rollout_id)


@shared_task(time_limit=300)
def sweep_evidence(**_: Any) -> None:
    """Forgets what was counted for rollouts that ended long ago, whose ledger stays; and old captured answers."""
    forget_old_evidence()
    forget_old_records()


@shared_task(time_limit=300)
def roll_up_windows(**_: Any) -> None:
    roll_up()


@shared_task(time_limit=300)
def collect_experiments(**_: Any) -> None:
    """Counts what is new for each running experiment, judges it, and tells people once it is decided."""
    look_at_experiments()


@shared_task(time_limit=120)
def join_outcomes(**_: Any) -> None:
    """Joins outcomes that came before their predictions were written down, and rings for imports that nobody is at."""
    join_waiting()
    outcome_imports.ring_for_waiting()


@shared_task(time_limit=3600)
def import_outcomes(key: str, **_: Any) -> None:
    outcome_imports.run_import(key)


@shared_task(time_limit=300)
def sweep_outcomes(**_: Any) -> None:
    forget_unjoined()


@shared_task(time_limit=300)
def run_replay(run_id: int, **_: Any) -> None:
    replays.run_queued(run_id)


@shared_task(time_limit=120)
def run_golden(version_id: int, occasion: str = golden.VALIDATION, **_: Any) -> None:
    golden.run_golden(version_id, occasion)


@shared_task(time_limit=60)
def reconcile_golden(**_: Any) -> None:
    ring_for_missed()


@shared_task(time_limit=60)
def reconcile_replay_runs(**_: Any) -> None:
    reconcile_replays()
