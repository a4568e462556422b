"""Builds ONNX graphs in code: named weights from a fixed seed, nodes one after the other (IR 10, opset 20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


class Graph:
    """`value = graph.add("Relu", value)` until `bytes`; each value is a name."""

    def __init__(self, name: str, shape: Shape, element: int = TensorProto.FLOAT) -> None:
        self.name = name
        self.input = helper.make_tensor_value_info("x", element, shape)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.random = np.random.default_rng(7)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def normal(self, *shape: int) -> str:
        """Weights that keep the size of what they multiply, whatever `shape`: [out, in, ...] or [in, out]."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 2 else shape[0]
        return self.constant(self.random.normal(0, fan_in**-0.5, shape).astype(np.float32))

    def zeros(self, size: int) -> str:
        return self.constant(np.zeros(size, np.float32))

    def ones(self, size: int) -> str:
        return self.constant(np.ones(size, np.float32))

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def dense(self, value: str, n_in: int, n_out: int) -> str:
        return self.add("Add", self.add("MatMul", value, self.normal(n_in, n_out)), self.zeros(n_out))

    def conv(self, value: str, n_in: int, n_out: int, size: int, stride: int = 1, group: int = 1) -> str:
        kernel, bias, pad = self.normal(n_out, n_in // group, size, size), self.zeros(n_out), size // 2
        return self.add("Conv", value, kernel, bias, strides=[stride] * 2, pads=[pad] * 4, group=group)

    def bytes(self, value: str, shape: Shape) -> bytes:
        self.nodes.append(helper.make_node("Identity", [value], ["y"]))
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, self.name, [self.input], [output], self.weights)
        model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
        return model.SerializeToString()
