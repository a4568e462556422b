"""A manifest at the prediction path: V1 is prepared and labelled, V2 is not, and a shadow prepares by its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from inference.endpoints.switching import promote
from inference.models import Endpoint
from inference.serving import mirror
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from tests import factories
from tests.inference.serving import shadows
from tests.inference.serving.shadows import World, eventually

pytestmark = pytest.mark.django_db(transaction=True)
HALVED = {"inputs": {"x": {"scale": 0.5, "features": list("abcd")}}, "labels": {"y": ["one", "two", "three", "four"]}}


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(mirror, "REST", 0.0)
    with shadows.world(monkeypatch) as made:
        yield made


def plus(slug: str, manifest: dict[str, Any], facts: dict[str, Any] | None = None) -> Endpoint:
    """Answers x + 10."""
    endpoint = factories.make_endpoint(slug, promoted=None)
    version = factories.version_of(endpoint, 1)
    report = {**version.report, "facts": {**version.report["facts"], **(facts or {})}}
    ModelVersion.objects.filter(pk=version.pk).update(manifest=manifest, report=report)
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 1), reason="a test")
    return endpoint


def ask(world: World, path: str, body: Any) -> dict[str, Any]:
    answer = Client().post(
        path, json.dumps(body), content_type="application/json", headers={"Authorization": f"Bearer {world.token}"}
    )
    return {"status": answer.status_code, **json.loads(answer.content)}


def test_v1__with_a_manifest__scaled_and_labelled(world: World) -> None:
    endpoint = plus("halved", HALVED)
    answer = ask(world, f"/v1/models/{endpoint.slug}:predict", {"instances": [{"a": 2, "b": 4, "c": 8, "d": 6}]})
    assert answer == {"status": 200, "predictions": [[11.0, 12.0, 14.0, 13.0]], "labels": {"y": ["three"]}}


def test_v2__with_a_manifest__tensors_as_they_are(world: World) -> None:
    endpoint = plus("halved", HALVED)
    answer = ask(world, f"/v2/models/{endpoint.slug}/infer", {"inputs": [shadows.tensor(2, 4, 8, 6)]})
    assert answer["outputs"][0]["data"] == [12.0, 14.0, 18.0, 16.0]
    assert "labels" not in answer


def test_v2__classification__names_of_the_manifest(world: World) -> None:
    endpoint = plus("halved", HALVED)
    body = {
        "inputs": [shadows.tensor(2, 4, 8, 6)],
        "outputs": [{"name": "y", "parameters": {"classification": 2}}],
    }
    answer = ask(world, f"/v2/models/{endpoint.slug}/infer", body)
    assert answer["outputs"][0]["data"] == ["18.0:2:three", "16.0:3:four"]


def test_v1__labels_that_validation_found__used_where_the_manifest_has_none(world: World) -> None:
    endpoint = plus("found", {}, {"labels": {"y": ["w", "x", "y", "z"]}})
    answer = ask(world, f"/v1/models/{endpoint.slug}:predict", {"instances": [[1, 2, 3, 4]]})
    assert answer["labels"] == {"y": ["z"]}


def test_v1__manifest_that_does_not_fit__422_with_a_sentence_and_v2_works(world: World) -> None:
    endpoint = plus("wrong", {"inputs": {"z": {"scale": 2.0}}})
    answer = ask(world, f"/v1/models/{endpoint.slug}:predict", {"instances": [[1, 2, 3, 4]]})
    assert answer["status"] == 422
    assert "'z', which the model does not have" in answer["error"]
    assert ask(world, f"/v2/models/{endpoint.slug}/infer", {"inputs": [shadows.tensor(1, 2, 3, 4)]})["status"] == 200


def test_shadow__scales_otherwise__reads_the_request_by_its_own_manifest(world: World) -> None:
    """Stable answers x + 10, the shadow x / 2 + 20: they are 10 - x / 2 apart, and 10 if it had not scaled."""
    endpoint = factories.make_endpoint("mirrored")
    ModelVersion.objects.filter(model=endpoint.model, number=2).update(manifest={"inputs": {"x": {"scale": 0.5}}})
    shadows.with_shadow(endpoint, [factories.version_of(endpoint, number) for number in (1, 2)], 10_000)
    endpoint.refresh_from_db()

    def compared() -> object:
        assert ask(world, f"/v1/models/{endpoint.slug}:predict", {"instances": [[2, 4, 6, 8]]})["status"] == 200
        pairs = world.pairs(endpoint)
        return pairs.n >= 1 and pairs.max_abs

    eventually(compared)
    assert world.pairs(endpoint).max_abs == pytest.approx(9.0)
