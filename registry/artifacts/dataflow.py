"""Follows values through a graph: which come from a caller's values, which from shapes and constants alone.

Runs in the sandbox child only.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from registry.artifacts.walk import domain_of, is_external, key_of, subgraphs


class Value(NamedTuple):
    """`from_caller` is True for what depends on the values, not only the shapes, of the model's inputs."""

    from_caller: bool
    constant: TensorProto | None = None


Values = ChainMap[str, Value]
CALLERS, OWN = Value(True), Value(False)
# Whatever goes in, what comes out is told by shapes and attributes.
_FROM_SHAPES = {"Shape", "Size", "ConstantOfShape", "EyeLike"}
# Their subgraphs run again and again.
REPEATING = {"Loop", "Scan", "SequenceMap", "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"}
_ONCE = {"If"}


class Seen(NamedTuple):
    """A node where it stands: its inputs' values, and how often it runs at most; None when its inputs say how often."""

    node: onnx.NodeProto
    inputs: Sequence[Value]
    times: int | None

    def value(self, position: int) -> Value:
        """Of the input at a position; one that is left out is the model's own."""
        return self.inputs[position] if position < len(self.inputs) else OWN


class Flow:
    """Calls `look` for every node, with functions expanded as often as they are called.

    `trips` says how often a repeating node runs its subgraphs, or None when that is not bounded by the file.
    """

    def __init__(
        self, model: onnx.ModelProto, look: Callable[[Seen], None], trips: Callable[[Seen], int | None]
    ) -> None:
        self._functions = {key_of(function): function for function in model.functions}
        self._look = look
        self._trips = trips

    def follow(self, graph: onnx.GraphProto) -> None:
        self._graph(graph, ChainMap(), 1)

    def _graph(self, graph: onnx.GraphProto, around: Values, times: int | None) -> list[Value]:
        """What a graph gives, its own inputs being the caller's. An initializer that may be replaced is an input."""
        own = {tensor.name: OWN if is_external(tensor) else Value(False, tensor) for tensor in graph.initializer}
        sparse = {item.values.name: OWN for item in graph.sparse_initializer}
        values = around.new_child({**own, **sparse, **{value.name: CALLERS for value in graph.input}})
        self._nodes(graph.node, values, times)
        return [values.get(value.name, CALLERS) for value in graph.output]

    def _nodes(self, nodes: Iterable[onnx.NodeProto], values: Values, times: int | None) -> None:
        for node in nodes:
            # An output may hide a name from around, so what is not known here is taken for the caller's.
            inputs = [values.get(name, CALLERS) if name else OWN for name in node.input]
            seen = Seen(node, inputs, times)
            self._look(seen)
            outputs = self._outputs(seen, values)
            values.update(zip(node.output, outputs, strict=False))

    def _outputs(self, seen: Seen, values: Values) -> list[Value]:
        node = seen.node
        function = self._functions.get((domain_of(node.domain), node.op_type, node.overload))
        if function is not None:
            return self._call(function, seen)
        inner = [value for graph in subgraphs(node) for value in self._graph(graph, values, self._inside(seen))]
        if node.op_type == "Constant":
            return [Value(False, _constant(node))]
        if node.op_type == "Identity" and seen.inputs:
            return [seen.inputs[0]]
        if node.op_type in _FROM_SHAPES:
            return [OWN]
        return [Value(any(value.from_caller for value in (*seen.inputs, *inner)))] * len(node.output)

    def _inside(self, seen: Seen) -> int | None:
        if seen.node.op_type in _ONCE:
            return seen.times
        trips = self._trips(seen)
        return None if trips is None or seen.times is None else seen.times * trips

    def _call(self, function: onnx.FunctionProto, seen: Seen) -> list[Value]:
        values = ChainMap({name: seen.value(position) for position, name in enumerate(function.input)})
        self._nodes(function.node, values, seen.times)
        return [values.get(name, CALLERS) for name in function.output]


def _constant(node: onnx.NodeProto) -> TensorProto | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            return attribute.t
        if attribute.name in ("value_int", "value_ints"):
            numbers: Any = attribute.i if attribute.name == "value_int" else list(attribute.ints)
            return numpy_helper.from_array(np.asarray(numbers, np.int64))
    return None


def number(value: Value) -> int | None:
    """The one whole number that a constant holds."""
    if value.constant is None:
        return None
    try:
        array = numpy_helper.to_array(value.constant)
    except (ValueError, TypeError):
        return None
    return int(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "iu" else None
