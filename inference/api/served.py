"""What the protocol routes need to know of an endpoint: its route, and the versions that answer there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from rest_framework.request import Request

from inference.routing.snapshot import Route, VersionRef, read_version
from inference.serving.dataplane import find_route
from inference.serving.follower import Follower, follower
from portal.lib.errors import NotFound, PortalError, Unavailable
from registry.access.principal import Principal

PATIENCE_SECONDS = 2.0


def fresh() -> Follower:
    serving = follower()
    serving.wait_fresh(PATIENCE_SECONDS)
    return serving


def routes_for(request: Request) -> Iterator[Route]:
    """Those that the caller may predict at, by slug."""
    serving = fresh()
    for slug in sorted(serving.routes):
        try:
            yield find_route(serving, cast(Principal, request.user), slug)
        except PortalError:
            continue


def served(request: Request, slug: str, version: str | None) -> tuple[Route, list[VersionRef]]:
    """The endpoint's route and the versions that answer there, the largest share first; or just the one named."""
    route = find_route(fresh(), cast(Principal, request.user), slug)
    if version is not None:
        pinned = read_version(route.model_id, version)
        if pinned is None:
            raise NotFound(f"“{slug}” has no ready version {version[:64]}.", code="version_not_found")
        return route, [pinned]
    versions = versions_of(route)
    if not versions:
        raise Unavailable(f"Nothing is served at “{slug}” yet: promote a version to it.", code="nothing_promoted")
    return route, versions


def versions_of(route: Route) -> list[VersionRef]:
    weights = route.split.weights() if route.split else {}
    arms = sorted(route.targets.values(), key=lambda target: -weights.get(target.variant, 0))
    return list({arm.version.id: arm.version for arm in arms}.values())


def why_not_ready(route: Route, version: VersionRef | None) -> str:
    """Empty when it is ready. What the memory budget let go counts as ready: the next call loads it."""
    if route.unloaded:
        return "unloaded"
    if version is None:
        return "nothing is promoted"
    if version.tampered:
        return "not what was registered"
    return "quarantined" if version.quarantined else ""
