"""This process's sessions: one pool, keyed by digest, shared by all endpoints, protocols and batch chunks here."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from inference.runtime.pool import SessionPool
from inference.runtime.session import ModelSession, load_session
from registry.artifacts.signature import Signature
from registry.services.artifacts import artifact_store

_signatures: dict[str, Signature] = {}


def _load(sha256: str) -> ModelSession:
    return load_session(artifact_store().path(sha256), _signatures[sha256])


@cache
def session_pool() -> SessionPool:
    return SessionPool(_load, settings.PORTAL_SESSION_BUDGET_BYTES)


def load_version(sha256: str, signature: Signature) -> ModelSession:
    """Blocks until the version's session is there. Raises Unavailable (`model_not_loadable`)."""
    _signatures[sha256] = signature
    pool = session_pool()
    return pool.get(sha256) or pool.load(sha256)
