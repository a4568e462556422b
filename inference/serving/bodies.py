"""How many bytes of bodies one process holds at once: many slow callers must not fill its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from portal.lib.errors import Unavailable


class BodyReader:
    """The bytes of one body, given back when it is done with."""

    __slots__ = ("_budget", "n_bytes")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.n_bytes = 0

    def add(self, n_bytes: int) -> None:
        """Raises Unavailable (`overloaded`) where all bodies together would be too many bytes."""
        if self._budget.held + n_bytes > self._budget.limit:
            raise Unavailable("Too many large bodies at once: try again in a moment.", code="overloaded", retry_after=1)
        self._budget.held += n_bytes
        self.n_bytes += n_bytes


class BodyBudget:
    """For one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @contextmanager
    def reader(self) -> Iterator[BodyReader]:
        reader = BodyReader(self)
        try:
            yield reader
        finally:
            self.held -= reader.n_bytes
