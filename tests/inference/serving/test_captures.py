"""Captured answers: kept where the endpoint asks for it, with all that a replay and a later truth need."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from inference.endpoints.services import edit_endpoint
from inference.models import Endpoint, PredictionRecord
from inference.monitoring.observe import OBSERVATIONS
from inference.monitoring.state import CAPTURED, Event
from inference.protocol.v2 import decode_infer
from inference.routing.buckets import hash_of, unit_of
from inference.serving import record_rows, records
from inference.serving.record_rows import forget_old_records, write_captured
from inference.serving.records import RECORDS
from registry.access.principal import SYSTEM
from registry.artifacts.signature import Signature
from tests import graphs
from tests.factories import make_endpoint, split, version_of
from tests.inference.serving import shadows
from tests.inference.serving.shadows import World, eventually, tensor

pytestmark = pytest.mark.django_db(transaction=True)
ONE = tensor(1, 2, 3, 4)
ALL = {"capture_bp": 10_000}


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with shadows.world(monkeypatch) as made:
        yield made


def captured(world: World, data: bytes, signature: Any = shadows.PLUS, **settings: Any) -> Endpoint:
    endpoint = world.endpoint(data, None, signature)
    return edit_endpoint(SYSTEM, endpoint, {**ALL, **settings})


def the_record(endpoint: Endpoint) -> PredictionRecord:
    eventually(PredictionRecord.objects.filter(endpoint=endpoint).exists)
    return PredictionRecord.objects.get(endpoint=endpoint)


def n_counted(result: str) -> int:
    return OBSERVATIONS.state().events[Event(CAPTURED, result)]


def test_captured__answer__kept_as_a_request_that_can_be_sent_again(world: World) -> None:
    endpoint = captured(world, graphs.add_constant(1.0))
    assert world.ask(endpoint, ONE, **{"X-Request-Id": "order-7"}).status_code == 200
    row = the_record(endpoint)
    version = version_of(endpoint, 1)
    assert (row.request_id, row.version_id, row.variant, row.unit) == ("order-7", version.pk, "stable", None)
    assert row.split_id == endpoint.live_split_id
    assert 0 < row.seconds < 10
    assert abs(row.at - timezone.now()) < timedelta(seconds=60)
    assert json.loads(row.inputs) == {"inputs": [ONE]}
    assert json.loads(row.outputs) == {"outputs": [{**ONE, "name": "y", "data": [2, 3, 4, 5]}]}
    assert row.prediction == 2.0
    request = decode_infer(row.inputs.encode(), Signature.from_json(version.signature or {}))
    assert request.inputs["x"].tolist() == [[1, 2, 3, 4]]


def test_captured__keyed__has_the_keys_hash(world: World) -> None:
    endpoint = split(make_endpoint("shop"), 5_000)
    endpoint = edit_endpoint(SYSTEM, endpoint, ALL)
    answer = world.ask(endpoint, ONE, **{"X-Routing-Key": "kaethe"})
    row = the_record(endpoint)
    assert row.unit == unit_of(hash_of(endpoint.salt, "kaethe"))
    assert row.variant == answer.headers["X-Variant"]


@pytest.mark.parametrize(
    ("data", "signature", "asked", "prediction"),
    [
        (
            graphs.classifier(),
            {
                "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
                "outputs": [
                    {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
                    {"name": "label", "datatype": "INT64", "shape": [-1]},
                ],
            },
            {**ONE, "name": "X", "data": [0, 0, 9, 0]},
            2,
        ),
        (
            graphs.named_classifier(),
            {
                "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
                "outputs": [{"name": "name", "datatype": "BYTES", "shape": [-1]}],
            },
            {**ONE, "name": "X", "data": [0, 9, 0, 0]},
            "versicolor",
        ),
        (
            graphs.strings(),
            {
                "inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1, 1]}],
                "outputs": [{"name": "y", "datatype": "BYTES", "shape": [-1, 1]}],
            },
            {"name": "x", "datatype": "BYTES", "shape": [1, 1], "data": ["zero \x00 inside"]},
            "zero  inside",
        ),
    ],
    ids=["label before probabilities", "text", "what PostgreSQL cannot hold"],
)
def test_captured__prediction__is_what_a_label_is_compared_with(
    world: World, data: bytes, signature: Any, asked: Any, prediction: Any
) -> None:
    endpoint = captured(world, data, signature)
    assert world.ask(endpoint, asked).status_code == 200
    assert the_record(endpoint).prediction == prediction


@pytest.mark.parametrize("n_rows", [8, 5_000], ids=["measured as JSON", "known beforehand"])
def test_captured__larger_than_allowed__row_without_texts(world: World, n_rows: int) -> None:
    endpoint = captured(world, graphs.add_constant(1.0), capture_bytes=256)
    world.ask(endpoint, tensor(*[0.5] * 4 * n_rows, shape=[n_rows, 4]))
    row = the_record(endpoint)
    assert (row.inputs, row.outputs, row.prediction) == ("", "", 1.5)


def test_captured__values_that_json_cannot_carry__row_without_texts(world: World) -> None:
    endpoint = captured(world, graphs.add_constant(1.0))
    head = {**ONE, "parameters": {"binary_data_size": 16}}
    del head["data"]
    asked = json.dumps({"inputs": [head]}).encode()
    headers = {"Authorization": f"Bearer {world.token}", "Inference-Header-Content-Length": str(len(asked))}
    body = asked + struct.pack("<4f", 1, float("nan"), 3, 4)
    path = f"/v2/models/{endpoint.slug}/infer"
    answer = Client().post(path, body, content_type="application/octet-stream", headers=headers)
    assert answer.status_code == 200
    row = the_record(endpoint)
    assert (row.inputs, row.outputs, row.prediction) == ("", "", 2.0)


def test_captured__chosen_by_the_caller__belongs_to_no_split(world: World) -> None:
    endpoint = captured(world, graphs.add_constant(1.0))
    assert world.ask(endpoint, ONE, path="/versions/1").status_code == 200
    assert the_record(endpoint).split_id is None


def test_captured__off_failed_or_a_fraction__kept_accordingly(world: World) -> None:
    silent = world.endpoint(graphs.add_constant(1.0), None)
    endpoint = captured(world, graphs.add_constant(1.0), capture_bp=5_000)
    for _ in range(60):
        world.ask(silent, ONE)
        world.ask(endpoint, ONE)
        world.ask(endpoint, {**ONE, "datatype": "FP64"})
    whole = captured(world, graphs.add_constant(1.0))
    world.ask(whole, ONE)
    the_record(whole)  # what came before is written by then
    assert PredictionRecord.objects.filter(endpoint=silent).count() == 0
    assert 10 < PredictionRecord.objects.filter(endpoint=endpoint).count() < 50


def test_captured__more_than_can_wait__dropped_and_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_WAITING", 0)
    before = n_counted("dropped")
    endpoint = captured(world, graphs.add_constant(1.0))
    assert [world.ask(endpoint, ONE).status_code for _ in range(3)] == [200] * 3
    assert n_counted("dropped") == before + 3
    monkeypatch.setattr(records, "MOST_WAITING", 10)
    monkeypatch.setattr(records, "MOST_BYTES", 20)
    world.ask(endpoint, ONE)
    assert n_counted("dropped") == before + 4


def test_flush__postgresql_away__written_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    away = [True]

    def write(rows: Any) -> int:
        if away:
            raise OperationalError("away")
        return write_captured(rows)

    monkeypatch.setattr(records, "write_captured", write)
    endpoint = captured(world, graphs.add_constant(1.0))
    for _ in range(3):
        world.ask(endpoint, ONE)
    eventually(lambda: len(RECORDS._captured) == 3)
    assert not PredictionRecord.objects.filter(endpoint=endpoint).exists()
    away.clear()
    eventually(lambda: PredictionRecord.objects.filter(endpoint=endpoint).count() == 3)


def test_write_captured__endpoint_or_split_is_gone__the_others_are_written(world: World) -> None:
    endpoint = make_endpoint("shop")
    version = version_of(endpoint, 1)

    def row(name: str, endpoint_id: int, split_id: int | None) -> PredictionRecord:
        facts = {"endpoint_id": endpoint_id, "version_id": version.pk, "split_id": split_id}
        return PredictionRecord(request_id=name, at=timezone.now(), **facts)

    rows = [row("here", endpoint.pk, endpoint.live_split_id), row("gone", 9**9, None), row("split", endpoint.pk, 9**9)]
    assert write_captured(rows) == 2
    found = PredictionRecord.objects.order_by("pk").values_list("request_id", "split_id")
    assert list(found) == [("here", endpoint.live_split_id), ("split", None)]


def test_forget__old_or_too_many__only_those(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_rows, "MOST_KEPT", 3)
    monkeypatch.setattr(record_rows, "DELETED_AT_ONCE", 2)
    many, few = make_endpoint("many"), make_endpoint("few")
    now = timezone.now()

    def keep(endpoint: Endpoint, name: str, days: float) -> None:
        PredictionRecord.objects.create(
            request_id=name, endpoint=endpoint, version=version_of(endpoint, 1), at=now - timedelta(days=days)
        )

    for number in range(8):
        keep(many, f"m{number}", 1)
    keep(few, "old", 31)
    keep(few, "young", 29)
    assert forget_old_records() == 6
    left = PredictionRecord.objects.order_by("pk").values_list("request_id", flat=True)
    assert list(left) == ["m5", "m6", "m7", "young"]
    assert forget_old_records() == 0
