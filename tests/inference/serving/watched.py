"""Endpoints with a rollout or an experiment on them, and requests to them without a server."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from inference.endpoints.moves import How, WantedShare, move
from inference.models import Endpoint, Experiment, Rollout, RolloutState, SplitActivation
from inference.serving.blocking import InPlace, run_in_place
from inference.serving.http import answer_infer, call_from
from inference.serving.paths import prediction_path
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from tests.factories import version_of

ROW = [1.0, 2.0, 3.0, 4.0]
V2_BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}
V1_BODY = {"instances": [ROW]}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


def start_rollout(
    endpoint: Endpoint, weight_bp: int = 5_000, candidate: ModelVersion | None = None, **how: Any
) -> Endpoint:
    """Version 1 as `stable`, `weight_bp` to the candidate, by default version 2, as `canary`; all of it evidence."""
    candidate = candidate or version_of(endpoint, 2)
    rollout = Rollout.objects.create(
        endpoint=endpoint,
        stable=version_of(endpoint, 1),
        candidate=candidate,
        preset="standard",
        base_split=endpoint.live_split,
        epoch=endpoint.epoch,
        state=RolloutState.CANARY,
    )
    return set_traffic(endpoint, weight_bp, candidate, rollout=rollout, **how)


def start_experiment(endpoint: Endpoint, **how: Any) -> Endpoint:
    """Half and half between versions 1 and 2."""
    experiment = Experiment.objects.create(
        endpoint=endpoint,
        name="which",
        hypothesis="2 is better",
        metric="error",
        direction="decrease",
        min_effect=0.01,
        planned_size=100,
        base_split=endpoint.live_split,
        state="running",
    )
    return set_traffic(endpoint, 5_000, version_of(endpoint, 2), experiment=experiment, **how)


def set_traffic(endpoint: Endpoint, weight_bp: int, candidate: ModelVersion, **how: Any) -> Endpoint:
    wanted = [
        WantedShare("stable", version_of(endpoint, 1), 10_000 - weight_bp),
        WantedShare("canary", candidate, weight_bp),
    ]
    kind = SplitActivation.Kind.ROLLOUT
    move(SYSTEM, endpoint.pk, wanted, kind, "a test", expected_epoch=endpoint.epoch, how=How(**how))
    return Endpoint.objects.select_related("live_split").get(pk=endpoint.pk)


def send(token: str, endpoint: Endpoint, body: Any = None, path: str = "/v2/models/%s/infer", **headers: str) -> Reply:
    """One request through the handler of both doors; `headers` as keywords: `x_tenant="acme"`."""
    found = prediction_path(path % endpoint.slug)
    assert found is not None
    sent = {b"content-type": b"application/json", b"authorization": f"Bearer {token}".encode()}
    sent |= {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(V2_BODY if body is None else body).encode()
    answer = run_in_place(answer_infer(call_from(found, sent, content), "r-1", InPlace()))
    return Reply(
        answer.status,
        {name.decode(): value.decode() for name, value in answer.headers},
        json.loads(answer.body) if answer.body[:1] == b"{" else answer.body,
    )
