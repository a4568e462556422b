"""THE prediction path: who asks -> which version -> decode -> run -> encode. Every protocol's door leads here.

Nothing on it leaves the process: callers, routes and sessions come from memory (`follower.py`). Only what this process
has never seen (a token, a pinned version, a session that was evicted) is looked up, once, off the event loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings

from inference.protocol import v2
from inference.routing.buckets import bucket_of, random_bucket
from inference.routing.snapshot import Route, VersionRef, read_version
from inference.runtime.session import ModelSession
from inference.serving.blocking import Waiting
from inference.serving.follower import Follower, follower
from inference.serving.sessions import load_version, session_pool
from portal.lib.errors import NotAllowed, NotAuthenticated, NotFound, Unavailable
from registry.access.actions import ACTIONS, ROLE_RANK
from registry.access.principal import Principal

# Below both, decoding and running cost the event loop less than handing over to a thread would.
LIGHT_RUN_SECONDS = 0.0002
LIGHT_BODY_BYTES = 16_384
FRESH_WITHIN_SECONDS = 2.0
PREDICT = ACTIONS["endpoint.predict"]


@dataclass(frozen=True, slots=True)
class InferCall:
    """One prediction asked for: the URL's parts, what the headers say, and the body."""

    slug: str
    version: str | None
    body: bytes
    token: str | None
    routing_key: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which version answers, and why: `pinned`, `key` (the caller's), `random`, or `only` where one arm has all."""

    route: Route
    variant: str
    version: VersionRef
    reason: str


@dataclass(frozen=True, slots=True)
class Predicted:
    chosen: Chosen
    body: bytes
    stale_seconds: int | None = None


async def infer(call: InferCall, waiting: Waiting) -> Predicted:
    """Raises PortalError; what the caller may not see is NotFound."""
    serving = follower()
    principal = await _authenticate(serving, call.token, waiting)
    stale_seconds = None if serving.holds_lease() else await _make_fresh(serving, waiting)
    route = find_route(serving, principal, call.slug)
    chosen = (
        _choose(route, call.routing_key) if call.version is None else await _pin(serving, route, call.version, waiting)
    )
    version = chosen.version
    session = session_pool().get(version.sha256)
    if session is None:
        session = await waiting.ask(load_version, version.sha256, version.signature)
    if version.run_seconds < LIGHT_RUN_SECONDS and len(call.body) <= LIGHT_BODY_BYTES:
        body = _run(chosen, session, call.body)
    else:
        body = await waiting.compute(_run, chosen, session, call.body)
    return Predicted(chosen, body, stale_seconds)


async def _authenticate(serving: Follower, token: str | None, waiting: Waiting) -> Principal:
    if not token:
        raise NotAuthenticated("Send a token: Authorization: Bearer swy_…")
    principal = serving.callers.get(token) or await waiting.ask(serving.callers.look_up, token)
    if principal is None:
        raise NotAuthenticated("This token is unknown, expired or revoked.", code="invalid_token")
    return principal


async def _make_fresh(serving: Follower, waiting: Waiting) -> int:
    """The lease ran out: ask PostgreSQL before answering, or, while that is away, answer as last known for a while.

    Returns the age of what is known in seconds.
    """
    outlook = await waiting.ask(serving.wait_fresh, FRESH_WITHIN_SECONDS)
    if outlook.fresh:
        return 0
    age = time.monotonic() - serving.synced_at
    known = serving.sequence >= 0 and outlook.database_away
    if not known or age > settings.PORTAL_FAIL_STATIC_SECONDS:
        raise Unavailable("The routing is not known right now: try again.", code="routing_unknown", retry_after=2)
    return int(age)


def find_route(serving: Follower, principal: Principal, slug: str) -> Route:
    route = serving.routes.get(slug)
    hidden = principal.endpoints is not None and slug not in principal.endpoints
    if route is None or hidden or not (principal.is_superuser or route.project_id in principal.roles):
        raise NotFound(f"There is no endpoint “{slug[:64]}”.", code="endpoint_not_found")
    if principal.scopes is not None and PREDICT.scope not in principal.scopes:
        raise NotAllowed(
            "This token lacks the scope “predict”.", code="missing_scope", details={"scope": PREDICT.scope}
        )
    if not principal.is_superuser and ROLE_RANK[principal.roles[route.project_id]] < ROLE_RANK[PREDICT.role]:
        raise NotAllowed("Your role in this project does not permit predictions.")
    return route


def _choose(route: Route, routing_key: str | None) -> Chosen:
    if route.split is None:
        raise Unavailable(
            f"Nothing is served at “{route.slug}” yet: promote a version to it.",
            code="nothing_promoted",
            retry_after=10,
        )
    if len(route.targets) == 1:
        ((variant, target),) = route.targets.items()
        return Chosen(route, variant, target.version, "only")
    if routing_key:
        bucket, reason = bucket_of(route.salt, routing_key), "key"
    else:
        bucket, reason = random_bucket(), "random"
    variant = route.split.variant_of(bucket)
    return Chosen(route, variant, route.targets[variant].version, reason)


async def _pin(serving: Follower, route: Route, wanted: str, waiting: Waiting) -> Chosen:
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 0
    version = serving.pinned.get((route.model_id, number))
    if version is None:
        version = await waiting.ask(read_version, route.model_id, number)
        if version is None:
            raise NotFound(f"“{route.slug}” has no ready version {wanted[:20]}.", code="version_not_found")
        serving.pin((route.model_id, number), version)
    return Chosen(route, "", version, "pinned")


def _run(chosen: Chosen, session: ModelSession, body: bytes) -> bytes:
    request = v2.decode_infer(body, chosen.version.signature)
    arrays = session.run(request.inputs, request.outputs)
    specs = chosen.version.signature.outputs
    if request.outputs is not None:
        by_name = {spec.name: spec for spec in specs}
        specs = tuple(by_name[name] for name in request.outputs)
    return v2.encode_infer(chosen.route.slug, str(chosen.version.number), request.id, specs, arrays)
