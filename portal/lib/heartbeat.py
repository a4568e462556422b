"""Keeps a lease alive while its holder computes, from a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

from django.db import DatabaseError, connection

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Somebody else holds the work now, or it was cancelled: stop, and leave no trace."""


@dataclass(slots=True)
class _Watch:
    renew: Callable[[], bool]
    lost: bool = False


class Heartbeat:
    """Renews one lease at a time, that of the last `watch`. A database that is away for a moment loses nothing."""

    def __init__(self, every_seconds: float) -> None:
        self._every = every_seconds
        self._watched: _Watch | None = None
        self._stop = Event()
        self._thread = Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def watch(self, renew: Callable[[], bool]) -> None:
        """`renew` answers whether the lease is still ours."""
        self._watched = _Watch(renew)

    def rest(self) -> None:
        self._watched = None

    def check(self) -> None:
        """Raises LeaseLost once the watched lease is somebody else's."""
        if self._watched is not None and self._watched.lost:
            raise LeaseLost

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self._every):
                if self._watched is not None:
                    self._renew(self._watched)
        finally:
            connection.close()

    def _renew(self, watched: _Watch) -> None:
        try:
            watched.lost = not watched.renew()
        except DatabaseError as error:
            log.warning("lease not renewed: %s", type(error).__name__)
            connection.close()
