"""Shadows: each answer of stable is compared, and whatever the shadow does, the caller's answer is what it was."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.models import Disagreement, Endpoint, Quarantine
from inference.runtime.deaths import Death
from inference.runtime.isolated import conversation
from inference.serving import deaths, mirror, shadow_run
from inference.serving.mirror import MIRROR
from tests import graphs, hostile_graphs
from tests.factories import version_of
from tests.inference.serving import shadows
from tests.inference.serving.shadows import LOOP, World, eventually, tensor

pytestmark = pytest.mark.django_db(transaction=True)
LIKE_ONE = graphs.add_constant(1.0 + 1e-7)
ONE = tensor(1, 2, 3, 4)
NUMBER = tensor(1, shape=[1])
DIVISION = {
    "inputs": [{"name": name, "datatype": "INT64", "shape": [-1]} for name in "ab"],
    "outputs": [{"name": "quotient", "datatype": "INT64", "shape": [-1]}],
}
SMALLEST = -(2**63)
DEADLY = [{"name": "a", "shape": [1], "datatype": "INT64", "data": [SMALLEST]}]
DEADLY.append({"name": "b", "shape": [1], "datatype": "INT64", "data": [-1]})
DIFFERS = ("x-request-id",)


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(mirror, "REST", 0.0)
    with shadows.world(monkeypatch) as made:
        yield made


def harmless_division() -> bytes:
    """quotient = max(a, b): the signature of `graphs.division`, and no way to die."""
    tensors = [graphs.value(name, ("N",), TensorProto.INT64) for name in ("a", "b", "quotient")]
    return graphs.model(
        [helper.make_node("Max", ["a", "b"], ["quotient"])], tensors[:2], tensors[2:]
    ).SerializeToString()


def seen(answer: Any) -> tuple[int, dict[str, str], bytes]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status_code, {name: value for name, value in headers.items() if name not in DIFFERS}, answer.content


def rows_of(endpoint: Endpoint) -> Any:
    return Disagreement.objects.filter(rollout__endpoint=endpoint)


# --- what is counted --------------------------------------------------------------------------------------------------


def test_shadow__like_stable__pairs_without_a_disagreement(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), LIKE_ONE)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 5, ONE)
    assert world.pairs(endpoint).n_bad == 0
    assert not rows_of(endpoint).exists()


def test_shadow__answers_otherwise__counted_and_kept_beside_what_was_answered(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(1.5))
    world.ask_until(endpoint, lambda pairs: pairs.n >= 3, ONE)
    pairs = world.pairs(endpoint)
    assert (pairs.n_bad, pairs.kinds["numeric"], pairs.max_abs) == (pairs.n, pairs.n, 0.5)
    eventually(rows_of(endpoint).exists)
    row = rows_of(endpoint).last()
    assert (row.kind, row.max_abs) == ("numeric", 0.5)
    assert json.loads(row.inputs) == {"inputs": [ONE]}
    assert json.loads(row.stable_outputs)["outputs"][0]["data"] == [2, 3, 4, 5]
    assert json.loads(row.shadow_outputs)["outputs"][0]["data"] == [2.5, 3.5, 4.5, 5.5]


def test_shadow__another_class__counted_as_a_flip(world: World) -> None:
    signature = {
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
        ],
    }
    swapped = graphs.classifier(weights=np.eye(4, 3)[:, ::-1])
    # Bytes of its own: sessions are kept by digest, and another test describes the plain classifier otherwise.
    endpoint = world.endpoint(graphs.classifier(bias=[0.0, 0.0, 1e-6]), swapped, signature)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, {**ONE, "name": "X", "data": [5, 0, 0, 0]})
    pairs = world.pairs(endpoint)
    assert (pairs.n_bad, dict(pairs.kinds, dropped=0)) == (pairs.n, {"flips": pairs.n, "dropped": 0})


def test_disagreements__of_one_rollout__no_more_than_the_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.serving.record_rows.MOST_PER_ROLLOUT", 3)
    endpoint = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(1.5))
    world.ask_until(endpoint, lambda pairs: pairs.n >= 12, ONE)
    eventually(lambda: rows_of(endpoint).count() == 3)


def test_disagreement__long_tensors__texts_are_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(1.5))
    big = tensor(*[0.25] * 80_000, shape=[20_000, 4])
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, big)
    eventually(rows_of(endpoint).exists)
    row = rows_of(endpoint).last()
    assert [len(row.inputs), len(row.stable_outputs), len(row.shadow_outputs)] == [shadow_run.MOST_TEXT] * 3
    assert row.inputs.endswith(" …")


# --- what is mirrored -------------------------------------------------------------------------------------------------


def test_mirror__pinned_canary_failed_or_not_sampled__not_repeated(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(2.0), canary_bp=5_000)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, ONE)
    answers = [world.ask(endpoint, ONE) for _ in range(20)]
    of_stable = sum(answer.headers["X-Variant"] == "stable" for answer in answers)
    assert 0 < of_stable < 20
    eventually(lambda: not MIRROR._waiting)
    before = world.pairs(endpoint).n
    assert world.ask(endpoint, ONE, path="/versions/1").status_code == 200
    assert world.ask(endpoint, {**ONE, "datatype": "FP64"}).status_code == 400
    world.ask_until(endpoint, lambda pairs: pairs.n > before, ONE)
    nobody = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(2.0), mirror_bp=0)
    for _ in range(5):
        world.ask(nobody, ONE)
    assert (world.pairs(nobody).n, world.pairs(nobody).kinds) == (0, {})


def test_mirror__no_room__drops_and_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MOST_WAITING", 0)
    endpoint = world.endpoint(graphs.add_constant(1.0), LIKE_ONE)
    for _ in range(4):
        assert world.ask(endpoint, ONE).status_code == 200
    assert (world.pairs(endpoint).n, world.pairs(endpoint).kinds["dropped"]) == (0, 4)
    monkeypatch.setattr(mirror, "MOST_WAITING", 64)
    monkeypatch.setattr(mirror, "MOST_BYTES", 20)  # an input and an output of sixteen bytes
    world.ask(endpoint, ONE)
    assert world.pairs(endpoint).kinds["dropped"] == 5


def test_shadow__no_route_has_it_any_more__its_process_ends(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), LIKE_ONE)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, ONE)
    (digest,) = MIRROR.sessions._loads
    session = MIRROR.sessions._loads[digest].result()
    assert session.pid is not None
    MIRROR.close_unused()
    assert session.pid is not None
    Endpoint.objects.filter(pk=endpoint.pk).update(live_split=Endpoint.objects.get(pk=endpoint.pk).live_split.parent)
    world.follower.sequence = -1
    eventually(lambda: world.follower.routes[endpoint.slug].shadow is None)
    eventually(lambda: session.pid is None)
    assert len(MIRROR.sessions) == 0


# --- shadows that misbehave -------------------------------------------------------------------------------------------


def answers_as_without(world: World, endpoint: Endpoint, *tensors: Any, n: int = 10) -> None:
    """Every answer is the same to the last byte as stable's was before there was a shadow."""
    expected = seen(world.ask(endpoint, *tensors))
    assert expected[0] == 200
    assert all(seen(world.ask(endpoint, *tensors)) == expected for _ in range(n))


def test_shadow__slow__the_queue_drops_and_answers_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MOST_WAITING", 2)
    endpoint = world.endpoint(graphs.slow(1), graphs.slow(300_000), LOOP)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, NUMBER)
    answers_as_without(world, endpoint, NUMBER, n=30)
    pairs = world.pairs(endpoint)
    assert pairs.n_bad == 0
    assert pairs.kinds["dropped"] > 0


def test_shadow__never_ends__given_up_counted_as_a_failure_and_answers_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_run, "LONGEST_RUN_SECONDS", 3.0)
    endpoint = world.endpoint(graphs.slow(1), hostile_graphs.endless_loop(), LOOP)
    world.ask_until(endpoint, lambda pairs: pairs.kinds["errors"], NUMBER)
    answers_as_without(world, endpoint, NUMBER)
    eventually(rows_of(endpoint).exists)
    row = rows_of(endpoint).last()
    assert (row.kind, "did not answer in time" in row.shadow_outputs) == ("error", True)


def test_shadow__stopped_by_the_machine__is_no_failure_of_the_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = world.endpoint(graphs.slow(1), graphs.slow(2), LOOP)
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, NUMBER)
    monkeypatch.setattr(shadow_run, "LONGEST_RUN_SECONDS", 0.1)
    monkeypatch.setattr(conversation, "GRACE", 1.0)
    (loading,) = MIRROR.sessions._loads.values()
    pid = loading.result().pid
    assert pid is not None
    before, threads = world.pairs(endpoint).kinds["errors"], threading.Timer(0.5, os.kill, (pid, signal.SIGCONT))
    os.kill(pid, signal.SIGSTOP)
    threads.start()
    assert world.ask(endpoint, NUMBER).status_code == 200
    eventually(lambda: world.pairs(endpoint).kinds["dropped"])
    threads.join()
    assert world.pairs(endpoint).kinds["errors"] == before


def test_shadow__crashes__counted_as_a_failure_told_as_a_death_and_answers_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Death] = []
    monkeypatch.setattr(deaths, "_report", told.append)
    endpoint = world.endpoint(harmless_division(), graphs.division(), DIVISION)
    world.ask_until(endpoint, lambda pairs: pairs.kinds["errors"], *DEADLY)
    answers_as_without(world, endpoint, *DEADLY)
    eventually(lambda: told)
    version = version_of(endpoint, 2)
    assert (told[0].sha256, told[0].cause, told[0].signal, told[0].isolated) == (
        version.sha256,
        "crashed",
        "SIGFPE",
        True,
    )
    world.ask_until(endpoint, lambda pairs: pairs.kinds["dropped"], *DEADLY)  # while it is down


def test_shadow__wants_all_memory__refused_it_and_answers_stay(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), hostile_graphs.huge_allocation())
    world.ask_until(endpoint, lambda pairs: pairs.kinds["errors"], ONE)
    answers_as_without(world, endpoint, ONE)


def test_shadow__file_is_no_model__one_failure_for_each_attempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), b"no model")
    world.ask_until(endpoint, lambda pairs: pairs.kinds["errors"] and pairs.kinds["dropped"] > 5, ONE)
    assert (world.pairs(endpoint).n, world.pairs(endpoint).kinds["errors"]) == (1, 1)
    monkeypatch.setattr(MIRROR.sessions, "_retry_at", {})
    world.ask_until(endpoint, lambda pairs: pairs.kinds["errors"] == 2, ONE)


def test_shadow__quarantined__is_not_run(world: World) -> None:
    endpoint = world.endpoint(graphs.add_constant(1.0), graphs.add_constant(2.0))
    world.ask_until(endpoint, lambda pairs: pairs.n >= 1, ONE)
    Quarantine.objects.create(version=version_of(endpoint, 2), reason="x", created_at="2026-01-01T00:00:00Z")
    world.follower.sequence = -1
    eventually(lambda: world.follower.routes[endpoint.slug].shadow is None)
    eventually(lambda: len(MIRROR.sessions) == 0)
    before = world.pairs(endpoint).n
    assert world.ask(endpoint, ONE).status_code == 200
    assert world.pairs(endpoint).n == before
