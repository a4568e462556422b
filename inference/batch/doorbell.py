"""Rings for workers. A ring may be lost, late or doubled: the reconciler rings again for whatever waits."""

from __future__ import annotations

import os
from uuid import UUID

from registry.services.doorbell import ring

QUEUE = "batch"


def ring_plan(job_id: UUID) -> None:
    ring("inference.tasks.plan_job", str(job_id), queue=QUEUE)


def ring_chunks(job_id: UUID, n_chunks: int) -> None:
    """One ring per worker process is enough, as each goes on until nothing is left."""
    for _ in range(min(n_chunks, os.cpu_count() or 1)):
        ring("inference.tasks.run_chunk", str(job_id), queue=QUEUE)


def ring_finish(job_id: UUID) -> None:
    ring("inference.tasks.finish_job", str(job_id), queue=QUEUE)
