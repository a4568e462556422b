from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from registry.artifacts.limits import Limits
from registry.artifacts.risks import risks
from tests import graphs
from tests.graphs import constant, model, value


def divided_by(divisor: int) -> ModelProto:
    kind = (TensorProto.INT64,)
    node = helper.make_node("Div", ["x", "d"], ["y"])
    return model([node], [value("x", ("N",), *kind)], [value("y", ("N",), *kind)], [constant("d", [divisor], np.int64)])


def float_division() -> ModelProto:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Div", ["r", "x"], ["y"])]
    return model(nodes, [value("x")], [value("y")])


def test_risks__plain_model__none() -> None:
    assert risks(ModelProto.FromString(graphs.mlp()), Limits()) == []


def test_risks__loop__named() -> None:
    assert risks(ModelProto.FromString(graphs.looping(3)), Limits()) == ["loop"]


def test_risks__integers_divided_by_an_input__named() -> None:
    assert risks(ModelProto.FromString(graphs.division()), Limits()) == ["integer_division"]


@pytest.mark.parametrize(("divisor", "expected"), [(2, []), (0, ["integer_division"]), (-1, ["integer_division"])])
def test_risks__integers_divided_by_a_constant__depends_on_it(divisor: int, expected: list[str]) -> None:
    assert risks(divided_by(divisor), Limits()) == expected


def test_risks__floats_divided__none() -> None:
    assert risks(float_division(), Limits()) == []
