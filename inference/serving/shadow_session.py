"""The sessions of shadows, apart from those that answer: each in a process of its own, whatever validation said of it.

So a shadow that hangs, crashes or eats memory costs no caller anything. Only the mirror's thread uses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from concurrent.futures import Future
from threading import Thread
from time import monotonic

from django.conf import settings

from inference.routing.snapshot import VersionRef
from inference.runtime.deaths import Death
from inference.runtime.isolated.session import IsolatedSession
from inference.serving.deaths import note_death
from inference.serving.opening import opener
from registry.services.artifacts import tampered

# A shadow that could not be loaded is tried again after this.
RETRY_SECONDS = 30.0


def load_apart(version: VersionRef, on_death: Callable[[Death], None]) -> IsolatedSession:
    """Raises Unavailable (`model_not_loadable`)."""
    return IsolatedSession(
        opener(version),
        version.signature,
        memory_bytes=version.memory_bytes,
        limit_bytes=settings.PORTAL_ISOLATED_MEMORY_BYTES,
        sha256=version.sha256,
        on_death=on_death,
    )


class ShadowSessions:
    """By digest. Not for several threads. That one dies is told like any other death; `deaths` counts them."""

    def __init__(self) -> None:
        self.deaths: Counter[str] = Counter()
        self._loads: dict[str, Future[IsolatedSession]] = {}
        self._retry_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._loads)

    def get(self, version: VersionRef) -> IsolatedSession | None:
        """Never waits: None while it is loading, or has to wait for the next attempt.

        Raises what the load raised, once for each attempt, and for a version that is not what its seal says.
        """
        if version.tampered:
            raise tampered()
        loading = self._loads.get(version.sha256)
        if loading is None:
            if monotonic() >= self._retry_at.get(version.sha256, 0.0):
                self._loads[version.sha256] = self._begin(version)
            return None
        if not loading.done():
            return None
        if loading.exception() is not None:
            del self._loads[version.sha256]
            self._retry_at[version.sha256] = monotonic() + RETRY_SECONDS
        return loading.result()

    def keep(self, digests: Container[str]) -> None:
        """Closes all others, those that are still loading as soon as they are loaded."""
        for digest in [digest for digest in self._loads if digest not in digests]:
            self._loads.pop(digest).add_done_callback(_close)
        self._retry_at = {digest: at for digest, at in self._retry_at.items() if digest in digests}

    def _begin(self, version: VersionRef) -> Future[IsolatedSession]:
        """On a thread of its own: loading may take minutes, and must not keep the process from ending."""
        loading: Future[IsolatedSession] = Future()

        def load() -> None:
            try:
                loading.set_result(load_apart(version, self._note_death))
            except Exception as error:
                loading.set_exception(error)

        Thread(target=load, name="load-shadow", daemon=True).start()
        return loading

    def _note_death(self, death: Death) -> None:
        self.deaths[death.sha256] += 1
        note_death(death)


def _close(loading: Future[IsolatedSession]) -> None:
    if loading.exception() is None:
        loading.result().close()
