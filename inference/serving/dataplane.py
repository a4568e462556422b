"""THE prediction path: who asks -> which version -> decode -> run -> encode. Every protocol's door leads here.

Nothing on it leaves the process: callers, routes and sessions come from memory (`follower.py`), in one go and without
waiting (`prepare`). Only what this process has never seen, such as a token, a pinned version or a session that was
evicted, is `Missing`: it is fetched off the event loop, and the call is prepared again. How a request finds its variant
is written in `inference/routing/assignment.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from inference.routing.assignment import Assignment, first_match, key_from_bytes
from inference.routing.buckets import N_BUCKETS, hash_of, random_bucket, unit_of
from inference.routing.snapshot import Route, VersionRef
from inference.scheduling.job import DEFAULT_PRIORITY, BatchPlan, Job, Timing
from inference.serving.blocking import Waiting, too_late
from inference.serving.callers import Caller
from inference.serving.calls import Answered, Chosen, InferCall, Prediction, chosen_for
from inference.serving.fields import is_quick, read_field
from inference.serving.follower import Follower, follower
from inference.serving.light import is_light, note_run
from inference.serving.missing import FieldKey, FreshRouting, Missing, PinnedVersion, SessionOf, UnknownCaller
from inference.serving.schedule import rate_limits
from inference.serving.sessions import session_pool
from portal.lib.errors import NotAllowed, NotAuthenticated, NotFound, Unavailable
from registry.access import policy
from registry.access.principal import Principal

PREDICT = "endpoint.predict"


async def infer(call: InferCall, waiting: Waiting) -> Answered:
    """Raises PortalError; what the caller may not see is NotFound."""
    while True:
        try:
            work = prepare(call)
            break
        except Missing as missing:
            await missing.fetch(call, waiting)
    answered: Answered = run_here(work) if is_light(work) else await waiting.compute(job_maker(work))
    note_run(work.digest, answered.timing.run)
    return answered


def prepare(call: InferCall) -> Prediction:
    """All that stands before the model's own work, from memory. Raises PortalError or Missing."""
    serving = follower()
    if not call.token:
        raise NotAuthenticated("Send a token: Authorization: Bearer swy_…")
    caller = serving.callers.get(call.token)
    if caller is None:
        raise UnknownCaller(serving)
    if not call.counted:
        _count_call(call, caller)
    if call.stale_seconds is None and not serving.holds_lease():
        raise FreshRouting(serving)
    route = serving.routes.get(call.slug)
    if route is None or route.endpoint_id not in caller.granted:
        route = _grant(serving, caller, call.slug)
    if route.unloaded:
        raise _unloaded(route)
    if call.version is None:
        call.chosen = chosen = _choose(route, call, caller)
    else:
        call.chosen = chosen = chosen_for(route, "", _pinned(serving, route, call.version), "pinned")
    version = chosen.version
    if version.quarantined:
        raise _quarantined(version)
    session = session_pool().get(version.sha256) or call.session
    if session is None or version.tampered:
        raise SessionOf(version)
    return Prediction(call, chosen, session)


def run_here(work: Prediction) -> Answered:
    """On the calling thread, which may be the event loop's."""
    inputs, outputs = work.feed()
    if time.monotonic() > work.deadline:
        raise too_late()
    begin = time.perf_counter()
    arrays = work.session.run(inputs, outputs)
    seconds = time.perf_counter() - begin
    return work.finish(arrays, Timing(0.0, seconds))


def job_maker(work: Prediction) -> Callable[[Callable[[Job], None]], Job]:
    chosen = work.chosen
    route, version = chosen.route, chosen.version
    size = version.batch_size if route.batch_size is None else min(route.batch_size, version.batch_size)

    def make(on_end: Callable[[Job], None]) -> Job:
        return Job(
            work,
            owner=route.endpoint_id,
            deadline=work.deadline,
            cost=version.run_seconds,
            on_end=on_end,
            priority=(work.request.priority if work.request else 0) or DEFAULT_PRIORITY,
            plan=BatchPlan(size, route.batch_delay),
            n_bytes=len(work.call.body),
            apart=version.sha256 if version.isolated else None,
        )

    return make


def _count_call(call: InferCall, caller: Caller) -> None:
    """Raises TooManyRequests where the token has had its share."""
    rate = caller.principal.requests_per_second
    if rate is not None:
        rate_limits.take(caller.digest, rate)
    call.counted = True


def _grant(serving: Follower, caller: Caller, slug: str) -> Route:
    """Asks for the right, and remembers it for as long as the rights themselves are believed."""
    route = find_route(serving, caller.principal, slug)
    caller.granted.add(route.endpoint_id)
    return route


def find_route(serving: Follower, principal: Principal, slug: str) -> Route:
    route = serving.routes.get(slug)
    hidden = principal.endpoints is not None and slug not in principal.endpoints
    if route is None or hidden or not policy.can_see_project(principal, route.project_id):
        raise NotFound(f"There is no endpoint “{slug[:64]}”.", code="endpoint_not_found")
    if not policy.has_scope(principal, PREDICT):
        raise NotAllowed("This token lacks the scope “predict”.", code="missing_scope", details={"scope": "predict"})
    if not policy.can(principal, PREDICT, route.project_id):
        raise NotAllowed("Your role in this project does not permit predictions.")
    return route


def _choose(route: Route, call: InferCall, caller: Caller) -> Chosen:
    if route.split is None:
        raise Unavailable(
            f"Nothing is served at “{route.slug}” yet: promote a version to it.",
            code="nothing_promoted",
            retry_after=10,
        )
    if route.rules:
        variant = first_match(route.rules, call.headers, caller.principal.token_prefix)
        if variant is not None:
            return chosen_for(route, variant, route.targets[variant].version, "rule")
    if len(route.targets) == 1:
        ((variant, target),) = route.targets.items()
        return chosen_for(route, variant, target.version, "only")
    if route.assignment is None:
        key = key_from_bytes(call.headers.get(b"x-routing-key"))
    else:
        key = _key(route.assignment, call, caller)
    if key:
        hashed = hash_of(route.salt, key)
        call.unit, bucket, reason = unit_of(hashed), hashed % N_BUCKETS, "key"
    else:
        bucket, reason = random_bucket(), "random"
    variant = route.split.variant_of(bucket)
    return chosen_for(route, variant, route.targets[variant].version, reason)


def _key(assignment: Assignment, call: InferCall, caller: Caller) -> str | None:
    if assignment.by == "header":
        return key_from_bytes(call.headers.get(assignment.header))
    if assignment.by == "token":
        return caller.principal.token_prefix
    if assignment.by == "field":
        if not call.field_read:
            if not is_quick(call):
                raise FieldKey(assignment.name)
            read_field(call, assignment.name)
        return call.field_key
    return None


def _pinned(serving: Follower, route: Route, wanted: str) -> VersionRef:
    version = serving.pinned.get((route.model_id, wanted))
    if version is None:
        raise PinnedVersion(serving, route, wanted)
    return version


def _unloaded(route: Route) -> Unavailable:
    return Unavailable(f"“{route.slug}” was unloaded: load it again.", code="endpoint_unloaded", retry_after=30)


def _quarantined(version: VersionRef) -> Unavailable:
    return Unavailable(
        f"Version {version.number} is in quarantine because it killed its process: use another version.",
        code="version_quarantined",
        retry_after=60,
    )
