from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from registry.artifacts.limits import Limits
from registry.artifacts.report import Rejected
from registry.artifacts.walk import NodeCount, messages
from tests import graphs, hostile_graphs
from tests.graphs import model, value


def parsed(data: bytes) -> ModelProto:
    return ModelProto.FromString(data)


@pytest.mark.parametrize("levels", [1, 2, 5, 10])
def test_node_count__functions__as_if_expanded(levels: int) -> None:
    built = parsed(hostile_graphs.function_bomb(levels))
    assert NodeCount(built, Limits()).total == 3 * 2 ** (levels - 1) - 1


def test_node_count__subgraphs__counted() -> None:
    assert NodeCount(parsed(graphs.looping(3)), Limits()).total == 3


def test_node_count__function_never_called__still_checked() -> None:
    built = parsed(hostile_graphs.function_bomb(40))
    built.graph.node[0].CopyFrom(helper.make_node("Relu", ["x"], ["y"]))
    with pytest.raises(Rejected) as caught:
        NodeCount(built, Limits())
    assert caught.value.rejection.code == "too_complex"


def test_node_count__long_chain_of_functions__too_complex() -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)]
    functions = [
        helper.make_function(
            "mine", f"f{i}", ["a"], ["b"], [helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="mine")], opsets
        )
        for i in range(5_000)
    ]
    node = helper.make_node("f0", ["x"], ["y"], domain="mine")
    built = model([node], [value("x")], [value("y")], domains=[("mine", 1)], functions=functions)
    with pytest.raises(Rejected) as caught:
        NodeCount(built, Limits())
    assert caught.value.rejection.code == "too_complex"


@pytest.mark.parametrize("build", hostile_graphs.EXTERNAL, ids=lambda build: build.__name__)
def test_messages__external_tensor__found_wherever_it_hides(build: Callable[[], bytes]) -> None:
    tensors = [part for part in messages(parsed(build()), Limits()) if isinstance(part, TensorProto)]
    assert any(len(tensor.external_data) == 1 for tensor in tensors)


def test_messages__too_many__too_complex() -> None:
    with pytest.raises(Rejected):
        list(messages(parsed(graphs.mlp()), Limits(max_messages=3)))


def test_messages__weights__not_looked_into() -> None:
    kinds = {type(part) for part in messages(parsed(graphs.mlp()), Limits())}
    assert onnx.TensorProto in kinds
    assert bytes not in kinds
