"""Weights whose shape, type and bytes do not agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from onnx import ModelProto, TensorProto, helper

from tests import graphs
from tests.graphs import constant
from tests.hostile.building import HUGE, MIXED, Named, one, relu


def tensors() -> Iterator[Named]:
    """Weights whose shape, type and bytes do not agree."""
    for number in HUGE:
        yield f"dims-{number}", _weighted(lambda weight, number=number: weight.dims.append(number))
    for size in (0, 1, 15, 17, 1_000):
        yield f"raw-{size}", _weighted(lambda weight, size=size: setattr(weight, "raw_data", b"\1" * size))
    for kind in (*MIXED, -1, 99):
        yield f"type-{kind}", _weighted(lambda weight, kind=kind: setattr(weight, "data_type", kind))
    yield "both", _weighted(lambda weight: weight.float_data.extend([1.0] * 4))
    yield "rank", _weighted(lambda weight: weight.dims.extend([1] * 100_000))
    for rows, columns in ((2**40, 2**40), (-1, 4), (4, -1), (0, 0)):
        built = relu()
        sparse = built.graph.sparse_initializer.add(dims=[rows, columns])
        sparse.values.CopyFrom(constant("s", [1.0]))
        sparse.indices.CopyFrom(constant("i", [2**62], np.int64))
        yield f"sparse-{rows}-{columns}", built.SerializeToString()
    for index in (-(2**63), -1_000, 10_000, 2**62):
        parts = (constant("t", np.ones((4, 2))), constant("i", [index], np.int64))
        yield f"gather-{index}", one(helper.make_node("Gather", ["t", "i"], ["y"]), *parts, out=("a", "b"))
        node = helper.make_node("ScatterND", ["t", "j", "u"], ["y"])
        more = (parts[0], constant("j", [[index]], np.int64), constant("u", [[1.0, 1.0]]))
        yield f"scatter-{index}", one(node, *more, out=("a", "b"))
        shape = constant("s", [index, 2], np.int64)
        yield f"reshape-{index}", one(helper.make_node("Reshape", ["x", "s"], ["y"]), shape, out=("a", "b"))
        bounds = (constant("b", [index], np.int64), constant("e", [2**63 - 1], np.int64))
        yield f"slice-{index}", one(helper.make_node("Slice", ["x", "b", "e"], ["y"]), *bounds, out=("a", "b"))


def _weighted(spoil: Callable[[TensorProto], object]) -> bytes:
    built = ModelProto.FromString(graphs.add_constant(shape=("N", 4)))
    weight = built.graph.initializer[0]
    weight.CopyFrom(constant(weight.name, [1.0, 2.0, 3.0, 4.0]))
    spoil(weight)
    return built.SerializeToString()
