from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from registry.artifacts import batching, probe
from registry.artifacts.batching import Inputs, Joining, Run
from registry.artifacts.feeds import Array, Guess, InputSlot
from tests import graphs

ROW = InputSlot("x", "FP32", ("N", 4))


def real(model: bytes) -> tuple[Run, tuple[InputSlot, ...]]:
    session = probe.load(model)
    return (lambda inputs: [np.asarray(output) for output in session.run(None, inputs)]), probe.slots(session)


def look(run: Run, slots: tuple[InputSlot, ...] = (ROW,), seconds: float = 20.0, most: int = 16) -> Any:
    end = batching._CLOCK() + seconds
    return Joining(run, slots, Guess("zeros", 8), row_seconds=1e-6, end=end).look(most)


class Clock:
    """Stands still but for what a run is said to take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def costly(self, answer: Callable[[Array], Array], per_run: float = 0.001, per_row: float = 0.0) -> Run:
        def run(inputs: Inputs) -> list[Array]:
            self.now += per_run + per_row * len(inputs["x"])
            return [answer(inputs["x"])]

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batching, "_CLOCK", clock)
    return clock


def test_look__rows_cost_nothing_more__all_sixteen(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x + 1)) == {"max_size": 16, "gain": 16.0}


def test_look__bound_by_arithmetic__never_joined(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x + 1, per_row=0.01)) == {"max_size": 1, "gain": 1.05}
    assert look(clock.costly(lambda x: x + 1, per_row=0.001)) == {"max_size": 16, "gain": 1.88}


def test_look__the_last_bit_changes_from_five_rows_on__four(clock: Clock) -> None:
    found = look(clock.costly(lambda x: x if len(x) < 5 else np.nextafter(x, np.float32(np.inf))))
    assert found == {"max_size": 4, "gain": 4.0}


def test_look__the_answer_depends_on_the_place__never_joined(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x + np.arange(len(x), dtype=np.float32)[:, None]))["max_size"] == 1


def test_look__fewer_rows_allowed__no_more_than_those(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x), most=3)["max_size"] == 3
    assert look(clock.costly(lambda x: x), most=1) is None


def test_look__time_ends_on_the_way__what_was_seen_by_then(clock: Clock) -> None:
    found = look(clock.costly(lambda x: x), seconds=0.05)
    assert 1 < found["max_size"] < 16
    assert found["gain"] == found["max_size"]


def test_look__no_time__unknown(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x), seconds=0) is None


def test_look__the_model_refuses_such_rows__unknown() -> None:
    def refuse(inputs: Inputs) -> list[Array]:
        raise RuntimeError("not these")

    assert look(refuse) is None


def test_look__batch_stands_in_a_second_place__unknown(clock: Clock) -> None:
    assert look(clock.costly(lambda x: x), (InputSlot("x", "FP32", ("N", "N")),)) is None


@pytest.mark.parametrize(
    "model", [graphs.classifier(), graphs.mlp(64), graphs.strings(), graphs.add_constant(1.0, ("N", "T", "D"))]
)
def test_look__real_small_models__joined(model: bytes) -> None:
    assert look(*real(model))["max_size"] == 16


def test_look__rows_mix_a_little__never_joined() -> None:
    """Less than the tolerance by which coupled batches are told."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "little"], ["part"]),
        helper.make_node("Add", ["x", "part"], ["y"]),
    ]
    parts = [graphs.constant("axes", [0], np.int64), graphs.constant("little", 1e-5)]
    model = graphs.model(nodes, [graphs.value("x")], [graphs.value("y")], parts)
    assert look(*real(model.SerializeToString()))["max_size"] == 1
