"""An endpoint whose answers are repeated by a shadow, served by a running follower, and what was counted of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from inference.endpoints.moves import How, WantedShare, move
from inference.endpoints.services import create_endpoint
from inference.endpoints.switching import promote
from inference.models import Endpoint, Rollout, RolloutState, SplitActivation
from inference.monitoring.arms import Pairs
from inference.monitoring.evidence import EVIDENCE
from inference.serving import follower as following
from inference.serving import records
from inference.serving.follower import Follower
from inference.serving.mirror import MIRROR
from inference.serving.records import RECORDS
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from tests import factories

PLUS = factories.SIGNATURE
LOOP = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
}
_numbers = itertools.count(1)


class World:
    """`client` asks as an operator. `counted` is of the split's pairs, since the endpoint was made."""

    def __init__(self, follower: Follower, token: str) -> None:
        self.follower = follower
        self.token = token
        self._pairs: dict[int, Pairs] = {}

    def endpoint(
        self, stable: bytes, shadow: bytes | None, signature: Any = PLUS, *, mirror_bp: int = 10_000, canary_bp: int = 0
    ) -> Endpoint:
        """`shadow` is version 2, and has `canary_bp` of the traffic, too."""
        model = factories.make_model(f"shadowed-{next(_numbers)}")
        versions = [_version(model, data, signature) for data in (stable, shadow) if data is not None]
        endpoint = create_endpoint(SYSTEM, model, model.name)
        promote(SYSTEM, endpoint, versions[0], reason="a test")
        if shadow is not None:
            with_shadow(endpoint, versions, mirror_bp, canary_bp)
        return Endpoint.objects.get(pk=endpoint.pk)

    def ask(self, endpoint: Endpoint, *tensors: Any, path: str = "", **headers: str) -> HttpResponse:
        """`path` is behind the model, such as /versions/1."""
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        url = f"/v2/models/{endpoint.slug}{path}/infer"
        return Client().post(url, json.dumps({"inputs": tensors}), content_type="application/json", headers=sent)

    def pairs(self, endpoint: Endpoint) -> Pairs:
        for key, found in EVIDENCE.take().arms.items():
            if isinstance(found, Pairs):
                _add(self._pairs.setdefault(key.split_id, Pairs()), found)
        assert endpoint.live_split_id is not None
        return self._pairs.setdefault(endpoint.live_split_id, Pairs())

    def ask_until(self, endpoint: Endpoint, condition: Callable[[Pairs], object], *tensors: Any) -> None:
        """The shadow is loaded only when there is something for it to do."""

        def asked() -> object:
            assert self.ask(endpoint, *tensors).status_code == 200
            return condition(self.pairs(endpoint))

        eventually(asked)


@contextmanager
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = Follower()
    monkeypatch.setattr(following, "_follower", made)
    monkeypatch.setattr(records, "WRITE_SECONDS", 0.02)
    EVIDENCE.forget()
    made.start()
    made.wait_fresh(20)
    yield World(made, factories.token_for(factories.make_user(f"olga-{next(_numbers)}", "operator"))[1])
    MIRROR.stop()
    RECORDS.stop()
    made.stop()
    for each in (MIRROR, RECORDS, EVIDENCE):
        each.forget()


def tensor(*values: float, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": "x", "shape": shape or [1, len(values)], "datatype": "FP32", "data": list(values)}


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def with_shadow(endpoint: Endpoint, versions: list[ModelVersion], mirror_bp: int, canary_bp: int = 0) -> Rollout:
    endpoint = Endpoint.objects.get(pk=endpoint.pk)
    stable, candidate = versions
    assert endpoint.live_split is not None
    rollout = Rollout.objects.create(
        endpoint=endpoint,
        stable=stable,
        candidate=candidate,
        preset="shadow_first",
        base_split=endpoint.live_split,
        epoch=endpoint.epoch,
        state=RolloutState.SHADOW,
    )
    shares = [WantedShare("stable", stable, 10_000 - canary_bp)]
    if canary_bp:
        shares.append(WantedShare("canary", candidate, canary_bp))
    how = How(rollout=rollout, shadow_version=candidate, mirror_bp=mirror_bp)
    kind = SplitActivation.Kind.ROLLOUT
    move(SYSTEM, endpoint.pk, shares, kind, "a test", expected_epoch=endpoint.epoch, how=how)
    return rollout


def _version(model: Any, data: bytes, signature: Any) -> ModelVersion:
    version = factories.make_version(model, data=data)
    version.signature = signature
    version.save(update_fields=["signature"])
    return version


def _add(whole: Pairs, part: Pairs) -> None:
    whole.n += part.n
    whole.n_bad += part.n_bad
    whole.kinds.update(part.kinds)
    if part.max_abs is not None:
        whole.max_abs = max(part.max_abs, whole.max_abs or 0.0)
