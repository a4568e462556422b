"""What the families share: a small model, and one with a single node."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper

from tests.graphs import model, value

Named = tuple[str, bytes]
HUGE = (2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -1, -(2**63))
MIXED = TensorProto.DataType.values()


def relu(**versions: Any) -> ModelProto:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")], **versions)


def one(node: NodeProto, *parts: TensorProto, shape: Any = ("N", 4), out: Any = None, **more: Any) -> bytes:
    """A model of one node from x to y."""
    given = value("x", shape, more.pop("element", TensorProto.FLOAT))
    result = value("y", out or shape, more.pop("out_element", TensorProto.FLOAT))
    return model([node], [given], [result], parts, **more).SerializeToString()
