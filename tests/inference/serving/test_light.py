"""What runs on the event loop: decided by measurement, and by what really happens."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from inference.routing.snapshot import Route, VersionRef
from inference.serving import light
from inference.serving.calls import Chosen, InferCall, Prediction
from inference.serving.codecs import V2
from inference.serving.light import is_light, note_run
from registry.artifacts.signature import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    light._means.clear()
    yield
    light._means.clear()


def work(rows: int = 1, run_seconds: float = 0.00001, isolated: bool = False, encoding: str = "") -> Prediction:
    tensor = {"name": "x", "shape": [rows, 1], "datatype": "FP32", "data": [0.5] * rows}
    call = InferCall(V2, "s", None, json.dumps({"inputs": [tensor]}).encode(), "t", encoding=encoding)
    version = VersionRef(1, 1, "digest", SIGNATURE, run_seconds, run_seconds, isolated=isolated)
    route = Route(1, "s", 1, 1, "m", "", 1, None, {})
    return Prediction(call, Chosen(route, "stable", version, "only"), session=None)  # type: ignore[arg-type]


def test_is_light__measured_as_quick__decoded_and_light() -> None:
    made = work(rows=3)
    assert is_light(made)
    assert made.request is not None
    assert made.n_rows == 3


def test_is_light__slow_isolated_compressed_large_or_many_rows__not() -> None:
    assert not is_light(work(run_seconds=0.01))
    assert not is_light(work(isolated=True))
    assert not is_light(work(encoding="gzip"))
    assert not is_light(work(rows=10_000))
    assert not is_light(work(rows=100, run_seconds=0.0001))


def test_note_run__one_long_stall__changes_nothing() -> None:
    for _ in range(200):
        note_run("digest", 0.00001)
    note_run("digest", 0.05)
    assert is_light(work())


def test_note_run__slow_on_average__to_the_threads_until_it_is_quick_again() -> None:
    for _ in range(300):
        note_run("digest", 0.003)
    assert not is_light(work())
    for _ in range(300):
        note_run("digest", 0.00001)
    assert is_light(work())
