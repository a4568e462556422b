"""One page at a time computes in a process, where several would only take the interpreter from each other.

Threads that compute at once change places some hundred times a second, and each time a prediction has to win its place
again. One after the other they are done sooner, and a prediction has one rival. It is a courtesy and no lock: a page
that has waited long enough goes on all the same, so a slow one cannot stop the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Longer than most pages compute.
PATIENCE_SECONDS = 0.03
_free = threading.Lock()


class Turn:
    """Of one request, in the thread that answers it."""

    def __init__(self) -> None:
        self._held = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While it waits for its caller, somebody else computes."""
        was_held = self._held
        self._give()
        try:
            yield
        finally:
            if was_held:
                self._take()

    def _take(self) -> None:
        self._held = _free.acquire(timeout=PATIENCE_SECONDS)

    def _give(self) -> None:
        if self._held:
            self._held = False
            _free.release()
