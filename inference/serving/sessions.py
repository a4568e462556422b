"""This process's sessions: one pool, keyed by digest, shared by all endpoints, protocols and batch chunks here.

A version that validation marked runs in a process of its own; all others run here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from inference.monitoring.evidence import EVIDENCE
from inference.monitoring.observe import count
from inference.monitoring.state import LOADS
from inference.routing.snapshot import VersionRef
from inference.runtime.isolated.session import IsolatedSession
from inference.runtime.optimized import OptimizedGraphs
from inference.runtime.pool import SessionPool, SessionStats
from inference.runtime.session import load_session
from inference.runtime.surface import Session
from inference.runtime.warmup import warm_up
from inference.serving.crashes import Recorded
from inference.serving.deaths import note_death
from inference.serving.graph_seals import GraphSeals
from inference.serving.opening import opener
from portal.lib.errors import PortalError
from registry.services.artifacts import artifact_store, require_seal

ON_CPU = ["cpu"]
_versions: dict[str, VersionRef] = {}


def _load(sha256: str) -> Session:
    version = _versions[sha256]
    try:
        session = _isolated(version) if version.isolated else _here(version)
    except PortalError as error:
        count(LOADS, error.code)
        raise
    count(LOADS)
    EVIDENCE.note_load(sha256)
    return session


def _isolated(version: VersionRef) -> Session:
    return IsolatedSession(
        opener(version),
        version.signature,
        memory_bytes=version.memory_bytes,
        limit_bytes=settings.PORTAL_ISOLATED_MEMORY_BYTES,
        sha256=version.sha256,
        on_death=note_death,
    )


def _here(version: VersionRef) -> Session:
    providers = settings.PORTAL_EXECUTION_PROVIDERS
    if providers == ON_CPU and _may_be_rearranged(version):
        session = optimized_graphs().load(opener(version), version.sha256, version.signature)
    else:
        session = load_session(opener(version), version.signature, providers=providers)
    warm_up(session, version.facts)
    return Recorded(session, version.sha256)


def _may_be_rearranged(version: VersionRef) -> bool:
    """Not what has its weights beside it, nor what must not lie on the disk as it is."""
    return not version.files and not artifact_store().encrypts


@cache
def optimized_graphs() -> OptimizedGraphs:
    return OptimizedGraphs(
        Path(settings.DATA_DIR) / "cache" / "optimized", settings.PORTAL_SESSION_BUDGET_BYTES, seals=GraphSeals()
    )


def keep_optimized(version: VersionRef) -> bool:
    """Rearranges the version's graph for this processor once, so that every later load is quicker. For a worker."""
    if version.isolated or settings.PORTAL_EXECUTION_PROVIDERS != ON_CPU or not _may_be_rearranged(version):
        return False
    return optimized_graphs().keep(opener(version), version.sha256, version.signature, version.facts)


@cache
def session_pool() -> SessionPool:
    return SessionPool(_load, settings.PORTAL_SESSION_BUDGET_BYTES)


def load_version(version: VersionRef) -> Session:
    """Blocks until the version's session is there. Raises Unavailable (`model_not_loadable`, `artifact_tampered`).

    The session is that of the digest, which another version may have loaded: that this one has it is asked each time.
    """
    require_seal(version.artifact)
    _versions[version.sha256] = version
    pool = session_pool()
    return pool.get(version.sha256) or pool.load(version.sha256)


def described(stats: SessionStats) -> dict[str, Any]:
    """As `ServingProcess.sessions` keeps it."""
    version = _versions.get(stats.digest)
    return {
        "sha256": stats.digest,
        "memory_bytes": stats.memory_bytes,
        "runs": stats.runs,
        "last_used": round(stats.last_used, 1),
        "isolated": bool(version and version.isolated),
        "restarts": stats.restarts,
    }
