"""Where this installation keeps its bytes."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from registry.artifacts.store import ArtifactStore


@cache
def artifact_store() -> ArtifactStore:
    """Models, named by digest."""
    return ArtifactStore(settings.DATA_DIR / "artifacts")


@cache
def job_store() -> ArtifactStore:
    """Inputs and outputs of batch jobs, named by digest."""
    return ArtifactStore(settings.DATA_DIR / "jobs")
