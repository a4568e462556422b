"""Types and shapes of a model's values as far as they can be inferred. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from registry.artifacts.walk import is_external, subgraphs

Shape = tuple[int | None, ...]
# Bytes of a tensor that may hold a shape, by which others are told.
_SMALL = 1024


class Inferred:
    """`types` and `shapes` by name; a name that means different things in different graphs is left out."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.types: dict[str, int] = {}
        self.shapes: dict[str, Shape] = {}
        self._contradicted: set[str] = set()
        for graph in _graphs(_infer(model).graph):
            for tensor in graph.initializer:
                self._note(tensor.name, tensor.data_type, tuple(tensor.dims))
            for value in (*graph.input, *graph.output, *graph.value_info):
                kind = value.type.tensor_type
                self._note(value.name, kind.elem_type, _shape(kind) if kind.HasField("shape") else None)
        for name in self._contradicted:
            self.types.pop(name, None)
            self.shapes.pop(name, None)

    def scan_length(self, node: onnx.NodeProto) -> int | None:
        """How often a Scan runs its body, where the shapes say it."""
        count, axes = 0, ()
        for attribute in node.attribute:
            if attribute.name == "num_scan_inputs":
                count = attribute.i
            elif attribute.name == "scan_input_axes":
                axes = tuple(attribute.ints)
        scanned = list(node.input)[-count:] if count else []
        for position, name in enumerate(scanned):
            axis = axes[position] if position < len(axes) else 0
            shape = self.shapes.get(name, ())
            length = shape[axis] if -len(shape) <= axis < len(shape) else None
            if length is not None:
                return length
        return None

    def _note(self, name: str, element: int, shape: Shape | None) -> None:
        if self.types.setdefault(name, element) != element:
            self._contradicted.add(name)
        if shape is not None and self.shapes.setdefault(name, shape) != shape:
            self._contradicted.add(name)


def _infer(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(_without_weights(model))
    except (RuntimeError, ValueError, TypeError, KeyError):
        return onnx.ModelProto()


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Inference copies what it is given, so an input of the same type and shape stands for each of the weights."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph, given = light.graph, {value.name for value in model.graph.input}
    graph.name = model.graph.name
    for field in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(graph, field).extend(getattr(model.graph, field))
    for tensor in model.graph.initializer:
        if tensor.ByteSize() <= _SMALL and not is_external(tensor):
            graph.initializer.append(tensor)
        elif tensor.name not in given:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return light


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    waiting = [graph]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(inner for node in current.node for inner in subgraphs(node))


def _shape(kind: onnx.TypeProto.Tensor) -> Shape:
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim)
