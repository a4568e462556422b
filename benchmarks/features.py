"""What each part of the prediction path costs, in microseconds of this process: `python3 benchmarks/features.py`.

The path runs as it is, without a socket, a store or a second process: callers, routes and sessions are put into the
memory that a serving process keeps them in. Medians of many short rounds.
"""
# ruff: noqa: E402 - Django has to be set up first

from __future__ import annotations

from enter import ROOT  # Continues in .venv.

# isort: split
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ.setdefault("DATABASE_URL", "postgresql:///none")
os.environ["PORTAL_DATA_DIR"] = tempfile.mkdtemp(prefix="slipway-benchmark-")

sys.path.insert(0, str(ROOT))

import django

django.setup()

import numpy as np
import uvloop
from models import MODELS
from table import heading, show

from inference.monitoring.observe import observe
from inference.protocol import v2
from inference.routing.buckets import bucket_of
from inference.routing.snapshot import Route, Target, VersionRef
from inference.routing.split import CompiledSplit, Share, new_table
from inference.runtime.recorder import Recorder
from inference.runtime.session import load_session
from inference.scheduling.rate import RateLimits
from inference.serving import crashes
from inference.serving import follower as following
from inference.serving.callers import Caller
from inference.serving.dataplane import prepare, run_here
from inference.serving.follower import Follower
from inference.serving.http import call_from
from inference.serving.lane import PredictionLane
from inference.serving.light import is_light
from inference.serving.sessions import session_pool
from portal.lib.request_ids import new_request_id
from registry.access.principal import Principal
from registry.access.tokens import digest_of
from registry.artifacts.signature import Signature, TensorSpec

ROUNDS, CALLS = 40, 500
TOKEN = "swy_0123abcd_" + "x" * 43
BODY = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}'
HEADERS = {b"authorization": f"Bearer {TOKEN}".encode(), b"content-type": b"application/json"}
DIGEST = "a" * 64


def per_call(work: Callable[[], Any]) -> float:
    """Microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            work()
        rounds.append((time.perf_counter() - begin) / CALLS * 1e6)
    return median(rounds)


def prepared() -> tuple[VersionRef, Any]:
    """A serving process's memory: one endpoint with two arms, one caller, one loaded version."""
    path = Path(os.environ["PORTAL_DATA_DIR"]) / "iris.onnx"
    model = next(model for model in MODELS.values() if model.name == "iris")
    path.write_bytes(model.content())
    signature = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 3)),))
    bare = load_session(path, signature)
    crashes._recorder = Recorder(path.parent / "running")
    session_pool()._loader = lambda _digest: crashes.Recorded(bare, DIGEST)
    session_pool().load(DIGEST)
    version = VersionRef(1, 1, DIGEST, signature, 1e-5)
    split = CompiledSplit(new_table([Share("stable", 9_000), Share("canary", 1_000)]))
    targets = {key: Target(key, version) for key in ("stable", "canary")}
    route = Route(1, "iris", 1, 1, "iris", "0" * 16, 1, split, targets)
    serving = Follower()
    serving.routes, serving.lease_until, serving.sequence = {"iris": route}, float("inf"), 1
    principal = Principal(1, "alice", roles={1: "operator"}, scopes=frozenset({"predict"}))
    serving.callers._known = {digest_of(TOKEN): Caller(principal, digest_of(TOKEN))}
    following._follower = serving
    return version, bare


def whole_lane() -> float:
    """From an ASGI scope to an ASGI answer."""
    lane, sent = PredictionLane(), []
    scope = {"type": "http", "method": "POST", "path": "/v2/models/iris/infer", "headers": list(HEADERS.items())}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def measure() -> float:
        rounds = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for _ in range(CALLS):
                sent.clear()
                await lane(lane.takes(scope), scope, receive, send)
            rounds.append((time.perf_counter() - begin) / CALLS * 1e6)
        assert sent[0]["status"] == 200, sent
        return median(rounds)

    return uvloop.run(measure())


def counted_lane() -> float:
    """The same where each answer is evidence."""
    serving = following.follower()
    serving.routes = {slug: replace(route, rollout_id=1, split_id=1) for slug, route in serving.routes.items()}
    return whole_lane()


def main() -> None:
    heading("The prediction path by its parts")
    version, bare = prepared()
    path = PredictionLane().takes({"method": "POST", "path": "/v2/models/iris/infer"})
    call = call_from(path, HEADERS, BODY)
    work = prepare(call)
    assert is_light(work)
    answered = run_here(work)
    feed, limits, salt = {"x": np.ones((1, 4), np.float32)}, RateLimits(), "0" * 16
    request = work.request
    arrays = bare.run(feed)
    recorded = session_pool().get(DIGEST)
    bare_us = per_call(lambda: bare.run(feed))
    parts = {
        "headers to a call": per_call(lambda: call_from(path, HEADERS, BODY)),
        "a request id": per_call(new_request_id),
        "token: digest and look-up": per_call(lambda: following.follower().callers.get(TOKEN)),
        "limit of a token": per_call(lambda: limits.take("t", 1e9)),
        "who, where, which version (all of `prepare`)": per_call(lambda: prepare(replace(call))),
        "sticky bucket of a routing key": per_call(lambda: bucket_of(salt, "customer-4711")),
        "decode": per_call(lambda: v2.decode_infer(BODY, version.signature)),
        "session.run": bare_us,
        "written down before it runs": per_call(lambda: recorded.run(feed)) - bare_us,
        "encode": per_call(lambda: v2.encode_infer("iris", "1", request, version.signature.outputs, arrays)),
        "count, with three histograms": per_call(
            lambda: observe(work.chosen.served, 200, "", 1e-4, 1, 0.0, 1e-5, 1e-6, 1e-6, answered.timing.run_rows)
        ),
        "the whole lane": whole_lane(),
        "the whole lane while a rollout runs": counted_lane(),
    }
    show(["part", "µs"], [[name, value] for name, value in parts.items()])


if __name__ == "__main__":
    main()
