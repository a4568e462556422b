"""A training script whose model nobody can serve: what its author gets to read."""

import sys

import mlflow
from onnx import TensorProto, helper

node = helper.make_node("HomeMade", ["x"], ["y"], domain="my.own")
tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy"]
graph = helper.make_graph([node], "broken", tensors[:1], tensors[1:])
imports = [helper.make_opsetid("", 20), helper.make_opsetid("my.own", 1)]
model = helper.make_model(graph, opset_imports=imports, ir_version=10)
with mlflow.start_run():
    mlflow.onnx.log_model(model, name="model", registered_model_name=sys.argv[1], pip_requirements=["onnx"])
