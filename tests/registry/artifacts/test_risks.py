from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from registry.artifacts.risks import risks
from tests import graphs
from tests.graphs import constant, model, value

INT64, BOOL, STRING = TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING
X, Y = value("x"), value("y", None)
COUNT = value("n", (1,), INT64)


def built(
    nodes: Sequence[NodeProto],
    *more_inputs: object,
    parts: Sequence[TensorProto] = (),
    functions: Sequence[object] = (),
) -> ModelProto:
    domains = [("mine", 1)] if functions else []
    return model(nodes, [X, *more_inputs], [Y], list(parts), domains=domains, functions=functions)  # type: ignore[list-item]


def divided_by(divisor: int) -> ModelProto:
    node = helper.make_node("Div", ["x", "d"], ["y"])
    return model([node], [value("x", ("N",), INT64)], [value("y", ("N",), INT64)], [constant("d", [divisor], np.int64)])


def float_division() -> ModelProto:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Div", ["r", "x"], ["y"])]
    return model(nodes, [value("x")], [value("y")])


def body(*inner: NodeProto, carried: str = "acc", result: str = "next") -> GraphProto:
    """A Loop's body that carries one value on."""
    nodes = [helper.make_node("Identity", ["cond_in"], ["cond"]), *inner]
    if not inner:
        nodes.append(helper.make_node("Identity", [carried], [result]))
    inputs = [value("i", (), INT64), value("cond_in", (), BOOL), value(carried, None)]
    return helper.make_graph(nodes, "body", inputs, [value("cond", (), BOOL), value(result, None)])


def loop(trips: str, inner: GraphProto, given: str = "x", taken: str = "y", go: str = "") -> NodeProto:
    return helper.make_node("Loop", [trips, go, given], [taken], body=inner)


def nested(outer: int, inner: int) -> ModelProto:
    innermost = body(carried="deep", result="deeper")
    around = body(loop("inner", innermost, "acc", "next"))
    parts = [constant("outer", outer, np.int64), constant("inner", inner, np.int64)]
    return built([loop("outer", around)], parts=parts)


def counted_within(node: NodeProto) -> ModelProto:
    """A loop whose trip count is a Constant node."""
    return built([node, loop("trips", body())])


def scan(length: int | str) -> ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Add", ["state", "row"], ["sum"]), helper.make_node("Identity", ["sum"], ["out"])],
        "body",
        [value("state", (4,)), value("row", (4,))],
        [value("sum", (4,)), value("out", (4,))],
    )
    node = helper.make_node("Scan", ["zero", "x"], ["last", "y"], body=inner, num_scan_inputs=1)
    return model([node], [value("x", (length, 4))], [value("y", (length, 4))], [constant("zero", np.zeros(4))])


def test_risks__plain_model__none() -> None:
    assert risks(ModelProto.FromString(graphs.mlp())) == []


@pytest.mark.parametrize(("trips", "expected"), [(3, []), (10_000, []), (10_001, ["loop"]), (1 << 62, ["loop"])])
def test_risks__loop_of_a_constant_count__by_the_count(trips: int, expected: list[str]) -> None:
    assert risks(ModelProto.FromString(graphs.looping(trips))) == expected


def test_risks__loop_counted_by_an_input_or_by_nothing__named() -> None:
    assert risks(built([loop("n", body())], COUNT)) == ["loop"]
    assert risks(built([loop("", body(), go="go")], parts=[constant("go", True, np.bool_)])) == ["loop"]
    assert risks(built([loop("trips", body())], parts=[constant("trips", [], np.int64)])) == ["loop"]


def test_risks__loop_counted_by_a_constant_node__harmless() -> None:
    assert risks(counted_within(helper.make_node("Constant", [], ["trips"], value_int=5))) == []
    tensor = constant("t", [5], np.int64)
    assert risks(counted_within(helper.make_node("Constant", [], ["trips"], value=tensor))) == []


def test_risks__loop_counted_by_a_replaceable_initializer__named() -> None:
    assert risks(built([loop("n", body())], COUNT, parts=[constant("n", [5], np.int64)])) == ["loop"]


@pytest.mark.parametrize(("outer", "inner", "expected"), [(100, 100, []), (100, 101, ["loop"])])
def test_risks__loops_in_loops__by_the_product(outer: int, inner: int, expected: list[str]) -> None:
    assert risks(nested(outer, inner)) == expected


@pytest.mark.parametrize(("length", "expected"), [(7, []), (20_000, ["loop"]), ("N", ["loop"])])
def test_risks__scan__by_the_length_that_the_shape_gives(length: int | str, expected: list[str]) -> None:
    assert risks(scan(length)) == expected


def test_risks__loop_in_a_branch_or_a_function__found() -> None:
    branch = helper.make_graph([loop("n", body())], "branch", [], [value("y", None)])
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=branch)
    assert risks(built([node], COUNT, value("go", (), BOOL))) == ["loop"]
    opsets = [helper.make_opsetid("", graphs.OPSET)]
    function = helper.make_function("mine", "again", ["x", "n"], ["y"], [loop("n", body())], opsets)
    calls = helper.make_node("again", ["x", "n"], ["y"], domain="mine")
    assert risks(built([calls], COUNT, functions=[function])) == ["loop"]
    assert risks(built([calls], parts=[constant("n", 5, np.int64)], functions=[function])) == []


def test_risks__branches_without_a_risk__none() -> None:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "branch", [], [value("y", None)])
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=branch)
    assert risks(built([node], value("go", (), BOOL))) == []


def test_risks__integers_divided_by_an_input__named() -> None:
    assert risks(ModelProto.FromString(graphs.division())) == ["integer_division"]


@pytest.mark.parametrize(("divisor", "expected"), [(2, []), (0, ["integer_division"]), (-1, ["integer_division"])])
def test_risks__integers_divided_by_a_constant__depends_on_it(divisor: int, expected: list[str]) -> None:
    assert risks(divided_by(divisor)) == expected


def test_risks__floats_divided__none() -> None:
    assert risks(float_division()) == []


def test_risks__shapes_divided_by_shapes__none() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Size", ["x"], ["all"]),
        helper.make_node("Div", ["all", "s"], ["y"]),
    ]
    assert risks(built(nodes)) == []


SIZED = {
    "Expand": ["x", "n"],
    "Tile": ["x", "n"],
    "ConstantOfShape": ["n"],
    "Range": ["zero", "n", "one"],
    "OneHot": ["indices", "n", "values"],
    "Pad": ["x", "n"],
    "Resize": ["x", "", "", "n"],
    "HannWindow": ["n"],
}
SPARE = [
    constant("zero", 0, np.int64),
    constant("one", 1, np.int64),
    constant("indices", [1], np.int64),
    constant("values", [0, 1], np.int64),
]


@pytest.mark.parametrize("operator", SIZED)
def test_risks__size_by_a_value__only_where_it_comes_from_the_caller(operator: str) -> None:
    node = helper.make_node(operator, SIZED[operator], ["y"])
    assert risks(built([node], COUNT, parts=SPARE)) == ["dynamic_size"]
    assert risks(built([node], parts=[*SPARE, constant("n", [3], np.int64)])) == []
    from_shape = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Mul", ["s", "one"], ["n"])]
    assert risks(built([*from_shape, node], parts=SPARE)) == []


def test_risks__size_by_arithmetic_on_a_value__named() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Max", ["s", "n"], ["m"]),
        helper.make_node("Expand", ["x", "m"], ["y"]),
    ]
    assert risks(built(nodes, COUNT)) == ["dynamic_size"]


def test_risks__reshape_by_a_value__none() -> None:
    assert risks(built([helper.make_node("Reshape", ["x", "n"], ["y"])], COUNT)) == []


def test_risks__size_inside_a_branch__found_from_around() -> None:
    branch = helper.make_graph([helper.make_node("Expand", ["x", "n"], ["y"])], "branch", [], [value("y", None)])
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=branch)
    assert risks(built([node], COUNT, value("go", (), BOOL))) == ["dynamic_size"]
    assert risks(built([node], value("go", (), BOOL), parts=[constant("n", [3], np.int64)])) == []


@pytest.mark.parametrize(("times", "expected"), [(6, []), (7, ["text_growth"])])
def test_risks__text_put_together__by_how_often(times: int, expected: list[str]) -> None:
    nodes = [helper.make_node("StringConcat", [f"t{i}", f"t{i}"], [f"t{i + 1}"]) for i in range(times)]
    built_ = model(nodes, [value("t0", ("N",), STRING)], [value(f"t{times}", ("N",), STRING)])
    assert risks(built_) == expected


def test_risks__many_branches_in_a_long_graph__does_not_take_long() -> None:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["b"])], "branch", [], [value("b", None)])
    nodes = [helper.make_node("If", ["go"], [f"t{i}"], then_branch=branch, else_branch=branch) for i in range(4_000)]
    assert risks(built([*nodes, helper.make_node("Identity", ["t0"], ["y"])], value("go", (), BOOL))) == []
