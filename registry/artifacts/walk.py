"""Walks over a parsed ONNX model. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from registry.artifacts.limits import Limits
from registry.artifacts.names import readable
from registry.artifacts.report import Rejected

FunctionKey = tuple[str, str, str]
_STANDARD = "ai.onnx"


def domain_of(name: str) -> str:
    """The standard operators' domain has two names."""
    return "" if name == _STANDARD else name


def too_complex(what: str) -> Rejected:
    return Rejected(
        "too_complex", f"The model {what}. Simplify it, for example with onnxsim or onnxslim, and upload it again."
    )


def messages(model: onnx.ModelProto, limits: Limits) -> Iterator[Any]:
    """Every message inside the model, whatever field it hides in; a tensor's own fields are weights and stay out."""
    waiting: list[Any] = [model]
    for _ in range(limits.max_messages):
        if not waiting:
            return
        message = waiting.pop()
        yield message
        if not isinstance(message, onnx.TensorProto):
            waiting.extend(_children(message))
    raise too_complex(f"has more than {limits.max_messages:,} parts")


def _children(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            yield from value
        else:
            yield value


def is_external(tensor: onnx.TensorProto) -> bool:
    """Its values lie in a file, or entries claim so."""
    return tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data) > 0


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


class NodeCount:
    """How many nodes a model has once its local functions are inlined, counted without inlining them.

    Each function's total is worked out once, so a file of a few kilobytes that would expand to billions of nodes is
    counted in microseconds.
    """

    def __init__(self, model: onnx.ModelProto, limits: Limits) -> None:
        self._limits = limits
        self._functions = {key_of(function): function for function in model.functions}
        self._totals: dict[FunctionKey, int] = {}
        self._open: set[FunctionKey] = set()
        graphs = [
            model.graph,
            *(part for info in model.training_info for part in (info.initialization, info.algorithm)),
        ]
        self.total = sum(self._count(graph.node, 0) for graph in graphs)
        for key in self._functions:
            self._function(key, 0)

    def _count(self, nodes: Any, depth: int) -> int:
        if depth > self._limits.max_nesting:
            raise too_complex(f"nests its graphs and functions more than {self._limits.max_nesting} deep")
        total = 0
        for node in nodes:
            total += 1 + sum(self._count(graph.node, depth + 1) for graph in subgraphs(node))
            key = (domain_of(node.domain), node.op_type, node.overload)
            if key in self._functions:
                total += self._function(key, depth + 1)
            if total > self._limits.max_nodes:
                raise too_complex(f"has more than {self._limits.max_nodes:,} nodes once its functions are expanded")
        return total

    def _function(self, key: FunctionKey, depth: int) -> int:
        if key in self._open:
            raise Rejected(
                "recursive_function",
                f"The function {readable(key[1])!r} calls itself, which ONNX does not allow. Use a Loop.",
            )
        if key not in self._totals:
            self._open.add(key)
            self._totals[key] = self._count(self._functions[key].node, depth)
            self._open.discard(key)
        return self._totals[key]


def key_of(function: onnx.FunctionProto) -> FunctionKey:
    return domain_of(function.domain), function.name, function.overload
