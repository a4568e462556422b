"""Names, types and wiring that no exporter writes."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, TensorProto, helper

from tests import graphs
from tests.graphs import model, value
from tests.hostile.building import MIXED, Named, relu


def names() -> Iterator[Named]:
    odd = ("", " ", "\x00", "a\x00b", "\u202e", "\u200b", "<script>alert(1)</script>", "=1+1", "../x", "a" * 257)
    for index, name in enumerate((*odd, "a" * 1_000_000, "\ufeff", "\r\n", "%s%n", "{{7*7}}", "🦀" * 200)):
        node = helper.make_node("Relu", ["x"], [name])
        yield f"output-{index}", model([node], [value("x")], [value(name)]).SerializeToString()
        node = helper.make_node("Relu", [name], ["y"])
        yield f"input-{index}", model([node], [value(name)], [value("y")]).SerializeToString()
        built = relu()
        built.producer_name = built.graph.name = built.graph.doc_string = name
        built.graph.node[0].name = built.graph.node[0].doc_string = name
        built.metadata_props.add(key=name, value=name)
        yield f"texts-{index}", built.SerializeToString()
    broken = relu().SerializeToString().replace(b"slipway-tests", b"\xff\xfe\xfd-not-utf8")
    yield "not-utf8", broken


def types() -> Iterator[Named]:
    for kind in (*MIXED, 99):
        yield f"identity-{kind}", graphs.identity(kind)
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [4])
    nested = tensor
    for wrapped in (helper.make_sequence_type_proto(tensor), helper.make_optional_type_proto(tensor)):
        node = helper.make_node("Identity", ["x"], ["y"])
        edges = [helper.make_value_info(name, wrapped) for name in "xy"]
        yield f"wrapped-{wrapped.WhichOneof('value')}", model([node], edges[:1], edges[1:]).SerializeToString()
    for depth in (5, 20, 40):
        nested = tensor
        for _ in range(depth):
            nested = helper.make_sequence_type_proto(nested)
        edges = [helper.make_value_info(name, nested) for name in "xy"]
        node = helper.make_node("Identity", ["x"], ["y"])
        yield f"nested-{depth}", model([node], edges[:1], edges[1:]).SerializeToString()


def wiring() -> Iterator[Named]:
    cycle = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    yield (
        "cycle",
        model([*cycle, helper.make_node("Relu", ["b"], ["y"])], [value("x")], [value("y")]).SerializeToString(),
    )
    yield "itself", model([helper.make_node("Add", ["x", "y"], ["y"])], [value("x")], [value("y")]).SerializeToString()
    twice = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])]
    yield "twice", model(twice, [value("x")], [value("y")]).SerializeToString()
    for count in (0, 3, 10_000):
        node = helper.make_node("Relu", ["x"] * count, ["y"])
        yield f"edges-{count}", model([node], [value("x")], [value("y")]).SerializeToString()
    for kind in AttributeProto.AttributeType.values():
        node = helper.make_node("Softmax", ["x"], ["y"])
        node.attribute.add(name="axis", type=kind)
        yield f"attribute-{kind}", model([node], [value("x")], [value("y")]).SerializeToString()
    node = helper.make_node("If", ["x"], ["y"])
    yield "no-branches", model([node], [value("x", ())], [value("y")]).SerializeToString()
    yield "empty-graph", model([], [value("x")], [value("x")]).SerializeToString()
    outputs = [value(f"y{at}") for at in range(1_100)]
    nodes = [helper.make_node("Relu", ["x"], [f"y{at}"]) for at in range(1_100)]
    yield "outputs-1100", model(nodes, [value("x")], outputs).SerializeToString()
