"""Writes a classifier as ONNX: input `X` [n, 4], outputs `label` [n] and `probabilities` [n, 3]."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from portal.local.demo.train import Classifier

# Old enough for every runtime that is around.
IR_VERSION, OPSET = 10, 20


def to_onnx(classifier: Classifier) -> bytes:
    nodes, constants, value = [], [], "X"
    for index, layer in enumerate(classifier.layers):
        last = index == len(classifier.layers) - 1
        constants += [
            numpy_helper.from_array(layer.weights.astype(np.float32), f"weights_{index}"),
            numpy_helper.from_array(layer.bias.astype(np.float32), f"bias_{index}"),
        ]
        nodes.append(helper.make_node("Gemm", [value, f"weights_{index}", f"bias_{index}"], [f"sum_{index}"]))
        value = f"sum_{index}"
        if not last:
            nodes.append(helper.make_node("Tanh", [value], [f"hidden_{index}"]))
            value = f"hidden_{index}"
    nodes.append(helper.make_node("ArgMax", [value], ["label"], axis=1, keepdims=0))
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], axis=1))
    graph = helper.make_graph(
        nodes,
        "iris",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 4])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3]),
        ],
        constants,
    )
    model = helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="slipway-demo"
    )
    return model.SerializeToString()
