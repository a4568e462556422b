"""What a prediction may find missing in its process's memory, and how each is fetched. Then the call is tried again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from django.conf import settings

from inference.routing.snapshot import Route, VersionRef, read_version
from inference.serving.blocking import Waiting
from inference.serving.calls import InferCall
from inference.serving.fields import read_field
from inference.serving.follower import Follower
from portal.lib.errors import NotAuthenticated, NotFound, Unavailable

FRESH_WITHIN_SECONDS = 2.0


class Missing(Exception, ABC):
    @abstractmethod
    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        """Raises PortalError where it is not to be had."""


class UnknownCaller(Missing):
    def __init__(self, serving: Follower) -> None:
        self._callers = serving.callers

    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        if await waiting.ask(self._callers.look_up, call.token or "") is None:
            raise NotAuthenticated("This token is unknown, expired or revoked.", code="invalid_token")


class FreshRouting(Missing):
    """The lease ran out: ask PostgreSQL before answering, or, while that is away, answer as last known for a while."""

    def __init__(self, serving: Follower) -> None:
        self._serving = serving

    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        serving = self._serving
        outlook = await waiting.ask(serving.wait_fresh, FRESH_WITHIN_SECONDS)
        if outlook.fresh:
            call.stale_seconds = 0
            return
        age = time.monotonic() - serving.synced_at
        known = serving.sequence >= 0 and outlook.database_away
        if not known or age > settings.PORTAL_FAIL_STATIC_SECONDS:
            raise Unavailable("The routing is not known right now: try again.", code="routing_unknown", retry_after=2)
        call.stale_seconds = int(age)


class PinnedVersion(Missing):
    def __init__(self, serving: Follower, route: Route, wanted: str) -> None:
        self._serving = serving
        self._route = route
        self._wanted = wanted

    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        key = (self._route.model_id, self._wanted)
        version = await waiting.ask(read_version, *key)
        if version is None:
            raise NotFound(f"“{self._route.slug}” has no ready version {self._wanted[:64]}.", code="version_not_found")
        self._serving.pin(key, version)


class SessionOf(Missing):
    """A version that nobody asked for lately, or never: the budget may have let its session go."""

    def __init__(self, version: VersionRef) -> None:
        self._version = version

    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        call.session = await waiting.load(self._version)


class FieldKey(Missing):
    """The key stands in a body that is large or compressed: too slow to read for the event loop."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def fetch(self, call: InferCall, waiting: Waiting) -> None:
        await waiting.ask(read_field, call, self._name)
