"""What an honest model may still do to a serving process, depending on its inputs. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from registry.artifacts.limits import Limits
from registry.artifacts.walk import messages

_LOOPS = {"Loop", "Scan"}
_DIVISIONS = {"Div", "Mod"}
_INTEGERS = {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64}
# Type inference copies the model; a large one is taken to be at risk.
_LARGE = 64 << 20


def risks(model: onnx.ModelProto, limits: Limits) -> list[str]:
    """`loop`: may run as long as its inputs say. `integer_division`: the smallest number by -1 kills a process."""
    operators = {message.op_type for message in messages(model, limits) if isinstance(message, onnx.NodeProto)}
    found = ["loop"] if operators & _LOOPS else []
    if operators & _DIVISIONS and _divides_integers(model, limits):
        found.append("integer_division")
    return found


def _divides_integers(model: onnx.ModelProto, limits: Limits) -> bool:
    """True unless every division is of floats or by a constant that is harmless."""
    main = [node for node in model.graph.node if node.op_type in _DIVISIONS]
    everywhere = [node for node in _nodes(model, limits) if node.op_type in _DIVISIONS]
    if len(everywhere) > len(main):
        return True
    harmless = _harmless_constants(model.graph)
    open_ones = [node for node in main if len(node.input) < 2 or node.input[1] not in harmless]
    if not open_ones:
        return False
    types = _types(model)
    return any(types.get(node.input[0], TensorProto.INT64) in _INTEGERS for node in open_ones if node.input)


def _nodes(model: onnx.ModelProto, limits: Limits) -> Iterator[onnx.NodeProto]:
    return (message for message in messages(model, limits) if isinstance(message, onnx.NodeProto))


def _harmless_constants(graph: onnx.GraphProto) -> set[str]:
    """Constants that are floats, or integers other than 0 and -1. An initializer which a caller may replace is none."""
    replaceable = {value.name for value in graph.input}
    tensors = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in replaceable}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            tensors.update((node.output[0], item.t) for item in node.attribute if item.name == "value")
    return {name for name, tensor in tensors.items() if _is_harmless(tensor)}


def _is_harmless(tensor: TensorProto) -> bool:
    if tensor.data_type not in _INTEGERS:
        return True
    try:
        return not bool(np.isin(numpy_helper.to_array(tensor), (0, -1)).any())
    except (ValueError, TypeError):
        return False


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of the main graph's values, as far as they can be inferred."""
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > _LARGE:
        return {}
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (RuntimeError, ValueError, TypeError, KeyError):
        return {}
    values = (*graph.input, *graph.output, *graph.value_info)
    inferred = {value.name: value.type.tensor_type.elem_type for value in values}
    return {**inferred, **{tensor.name: tensor.data_type for tensor in graph.initializer}}
