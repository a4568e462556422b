"""Numbers that kernels divide by, shift by or allocate by, and those of the format itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests import graphs, hostile_graphs
from tests.graphs import constant
from tests.hostile.building import Named, one, relu


def versions() -> Iterator[Named]:
    for number in (-(2**63), -1, 0, 1, 2, 3, 14, 15, 100, 2**31, 2**63 - 1):
        built = relu()
        built.ir_version = number
        yield str(number), built.SerializeToString()
    built = relu()
    built.ClearField("ir_version")
    yield "none", built.SerializeToString()


def opsets() -> Iterator[Named]:
    for number in (-1, 0, 1, 5, 6, 27, 28, 1_000, 2**31, 2**63 - 1):
        built = relu()
        built.opset_import[0].version = number
        yield str(number), built.SerializeToString()
    for domain in ("ai.onnx", "", "ai.onnx.ml", "com.microsoft", "my.domain", "ai.onnx.training", "\u202e"):
        built = relu()
        for version in (20, 1):
            built.opset_import.append(helper.make_opsetid(domain, version))
        yield f"twice-{domain or 'empty'}", built.SerializeToString()
    built = relu()
    del built.opset_import[:]
    yield "none", built.SerializeToString()


def bombs() -> Iterator[Named]:
    for levels in (2, 10, 16, 17, 20, 30, 60, 63, 64, 65, 200):
        yield f"function-{levels}", hostile_graphs.function_bomb(levels)
    for count in (49_999, 50_001, 100_000):
        yield f"nodes-{count}", hostile_graphs.many_nodes(count)
    for depth in (20, 28, 31):
        yield f"subgraphs-{depth}", hostile_graphs.deep_subgraphs(depth)


def allocations() -> Iterator[Named]:
    for size in (1 << 30, 4 << 30, 100 << 30, 1 << 50, 1 << 62):
        yield f"constant-{size}", hostile_graphs.huge_allocation(size)
    for count in (10**6, 10**9, 10**12, 2**62):
        shape = constant("s", [count], np.int64)
        yield f"expand-{count}", one(helper.make_node("Expand", ["x", "s"], ["y"]), shape, shape=(1,), out=("M",))
        yield f"tile-{count}", one(helper.make_node("Tile", ["x", "s"], ["y"]), shape, shape=(4,), out=("M",))
        pads = constant("s", [0, count], np.int64)
        yield f"pad-{count}", one(helper.make_node("Pad", ["x", "s"], ["y"]), pads, shape=(4,), out=("M",))
        depth = constant("d", count, np.int64)
        parts = (depth, constant("v", [0.0, 1.0]), constant("i", [1], np.int64))
        yield f"onehot-{count}", one(helper.make_node("OneHot", ["i", "d", "v"], ["y"]), *parts, out=(1, "M"))
        edges = (constant("a", 0, np.int64), constant("b", count, np.int64), constant("c", 1, np.int64))
        node = helper.make_node("Range", ["a", "b", "c"], ["y"])
        yield f"range-{count}", one(node, *edges, out=("M",), out_element=TensorProto.INT64)
    for scale in (1e3, 1e6, 1e12, float("inf"), float("nan"), -1.0, 0.0):
        node = helper.make_node("Resize", ["x", "", "s"], ["y"])
        scales = constant("s", [1, 1, scale, scale])
        yield f"resize-{scale}", one(node, scales, shape=(1, 1, 4, 4), out=("a", "b", "c", "d"))


def loops() -> Iterator[Named]:
    for trips in (10**7, 10**9, 2**62, -1, 0):
        yield f"trips-{trips}", graphs.looping(trips)


def texts() -> Iterator[Named]:
    for doublings in (10, 25, 30, 34, 40, 60):
        yield f"doublings-{doublings}", hostile_graphs.growing_text(doublings)


def attributes() -> Iterator[Named]:
    """Numbers that kernels divide by, shift by or allocate by."""
    image, kernel = (1, 1, 5, 5), constant("w", np.ones((1, 1, 3, 3)))
    for number in (0, -1, 2**31, 2**62):
        for name, values in (("strides", 2), ("dilations", 2), ("kernel_shape", 2), ("pads", 4)):
            for kind in ("Conv", "ConvTranspose"):
                node = helper.make_node(kind, ["x", "w"], ["y"], **{name: [number] * values})
                yield f"{kind}-{name}-{number}", one(node, kernel, shape=image, out=("a", "b", "c", "d"))
        for kind in ("Conv", "ConvTranspose"):
            node = helper.make_node(kind, ["x", "w"], ["y"], group=number)
            yield f"{kind}-group-{number}", one(node, kernel, shape=image, out=("a", "b", "c", "d"))
        for name in ("strides", "kernel_shape"):
            given: dict[str, Any] = {"kernel_shape": [2, 2], name: [number, number]}
            for kind in ("MaxPool", "AveragePool", "LpPool"):
                node = helper.make_node(kind, ["x"], ["y"], **given)
                yield f"{kind}-{name}-{number}", one(node, shape=image, out=("a", "b", "c", "d"))
        for kind, name in (("SpaceToDepth", "blocksize"), ("DepthToSpace", "blocksize"), ("LRN", "size")):
            node = helper.make_node(kind, ["x"], ["y"], **{name: number})
            yield f"{kind}-{number}", one(node, shape=(1, 4, 4, 4), out=("a", "b", "c", "d"))
        for kind in ("Softmax", "ArgMax", "Hardmax", "Flatten", "LpNormalization"):
            node = helper.make_node(kind, ["x"], ["y"], axis=number)
            yield f"{kind}-axis-{number}", one(node, out=("a", "b"))


def trees() -> Iterator[Named]:
    for depth in (100, 5_000, 10_000, 30_000):
        yield f"depth-{depth}", hostile_graphs.deep_tree(depth)


def divisions() -> Iterator[Named]:
    least = np.iinfo(np.int64).min
    for kind in ("Div", "Mod"):
        for a, b in ((least, -1), (1, 0), (least, 0)):
            parts = (constant("a", [a], np.int64), constant("b", [b], np.int64))
            node = helper.make_node(kind, ["a", "b"], ["y"])
            yield f"{kind}-{a}-{b}", one(node, *parts, out=(1,), out_element=TensorProto.INT64)
