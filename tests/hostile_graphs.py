"""Models that want to harm, and honest mistakes. Each function returns the bytes of an .onnx file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from tests.graphs import constant, looping, model, value


def future_opset() -> bytes:
    return _relu(opset=28).SerializeToString()


def future_ir() -> bytes:
    return _relu(ir_version=14).SerializeToString()


def _relu(**versions: int) -> ModelProto:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")], **versions)


def external_tensor(name: str = "c", location: str = "/etc/passwd") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.UINT8, dims=[16], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def _reads(tensor: TensorProto | None = None, node: NodeProto | None = None) -> ModelProto:
    nodes = [node or helper.make_node("Identity", ["c"], ["y"])]
    return model(nodes, [value("x")], [value("y", (16,), TensorProto.UINT8)], [tensor] if tensor else [])


def external_initializer() -> bytes:
    return _reads(external_tensor()).SerializeToString()


def external_entries_only() -> bytes:
    """`data_location` says DEFAULT, but the entries are there."""
    tensor = external_tensor()
    tensor.ClearField("data_location")
    return _reads(tensor).SerializeToString()


def external_attribute() -> bytes:
    return _reads(node=helper.make_node("Constant", [], ["y"], value=external_tensor())).SerializeToString()


def external_sparse() -> bytes:
    built = _reads()
    sparse = built.graph.sparse_initializer.add(dims=[16])
    sparse.values.CopyFrom(external_tensor())
    sparse.indices.CopyFrom(constant("indices", [0], np.int64))
    return built.SerializeToString()


def external_subgraph() -> bytes:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["b"])],
        "b",
        [],
        [value("b", (16,), TensorProto.UINT8)],
        [external_tensor()],
    )
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=branch)
    return _reads(constant("go", True, np.bool_), node).SerializeToString()


def external_function() -> bytes:
    body = [helper.make_node("Constant", [], ["out"], value=external_tensor())]
    function = helper.make_function("mine", "leak", [], ["out"], body, [helper.make_opsetid("", 20)])
    built = _reads(node=helper.make_node("leak", [], ["y"], domain="mine"))
    built.opset_import.append(helper.make_opsetid("mine", 1))
    built.functions.append(function)
    return built.SerializeToString()


def external_training() -> bytes:
    built = _reads(constant("c", np.zeros(16), np.uint8))
    graph = GraphProto(name="init")
    graph.initializer.append(external_tensor())
    built.training_info.add().initialization.CopyFrom(graph)
    return built.SerializeToString()


EXTERNAL: tuple[Callable[[], bytes], ...] = (
    external_initializer,
    external_entries_only,
    external_attribute,
    external_sparse,
    external_subgraph,
    external_function,
    external_training,
)


def group_zero() -> bytes:
    """ConvTranspose with group 0 divides by it while it is loaded: SIGFPE."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=0)
    weights = constant("w", np.ones((1, 1, 3, 3)))
    return model([node], [value("x", (1, 1, 5, 5))], [value("y", (1, 1, 7, 7))], [weights]).SerializeToString()


def function_bomb(levels: int = 40) -> bytes:
    """Each function calls the one below twice: a few kilobytes that expand to 2**levels nodes."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("bomb", 1)]
    functions = [helper.make_function("bomb", "f0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opsets)]
    for level in range(1, levels):
        calls = [
            helper.make_node(f"f{level - 1}", ["a"], ["m"], domain="bomb"),
            helper.make_node(f"f{level - 1}", ["m"], ["b"], domain="bomb"),
        ]
        functions.append(helper.make_function("bomb", f"f{level}", ["a"], ["b"], calls, opsets))
    node = helper.make_node(f"f{levels - 1}", ["x"], ["y"], domain="bomb")
    return model([node], [value("x")], [value("y")], domains=[("bomb", 1)], functions=functions).SerializeToString()


def recursive_function() -> bytes:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)]
    body = [helper.make_node("again", ["a"], ["b"], domain="mine")]
    function = helper.make_function("mine", "again", ["a"], ["b"], body, opsets)
    node = helper.make_node("again", ["x"], ["y"], domain="mine")
    return model([node], [value("x")], [value("y")], domains=[("mine", 1)], functions=[function]).SerializeToString()


def many_nodes(count: int = 50_001) -> bytes:
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(count)]
    return model(nodes, [value("t0")], [value(f"t{count}")]).SerializeToString()


def endless_loop() -> bytes:
    """Loads at once and runs for ever."""
    return looping(2**62)


def empty_trip_count() -> bytes:
    """A Loop whose trip count is an empty constant: SIGSEGV."""
    built = ModelProto.FromString(looping(1))
    for tensor in built.graph.initializer:
        if tensor.name == "trips":
            tensor.CopyFrom(constant("trips", [], np.int64))
    return built.SerializeToString()


def huge_allocation(n_bytes: int = 100 << 30) -> bytes:
    """Asks for 100 GB when it runs."""
    node = helper.make_node("ConstantOfShape", ["n"], ["big"])
    take = helper.make_node("ReduceMax", ["big"], ["top"], keepdims=0)
    add = helper.make_node("Add", ["x", "top"], ["y"])
    size = constant("n", [n_bytes // 4], np.int64)
    return model([node, take, add], [value("x")], [value("y")], [size]).SerializeToString()


def growing_text(doublings: int = 40) -> bytes:
    """A text that doubles again and again: its memory does not come from the runtime's arena."""
    nodes = [helper.make_node("StringConcat", [f"t{i}", f"t{i}"], [f"t{i + 1}"]) for i in range(doublings)]
    text = (TensorProto.STRING,)
    return model(nodes, [value("t0", ("N",), *text)], [value(f"t{doublings}", ("N",), *text)]).SerializeToString()


def deep_tree(depth: int = 20_000) -> bytes:
    """One decision tree that is a single long branch."""
    count = depth + 1
    ids = list(range(count))
    attributes = {
        "nodes_treeids": [0] * (2 * count - 1),
        "nodes_nodeids": [*ids, *range(count, 2 * count - 1)],
        "nodes_featureids": [0] * (2 * count - 1),
        "nodes_values": [0.0] * (2 * count - 1),
        "nodes_modes": ["BRANCH_LEQ"] * depth + ["LEAF"] * count,
        "nodes_truenodeids": [*range(1, count), *([0] * count)],
        "nodes_falsenodeids": [*range(count, count + depth), *([0] * count)],
        "target_treeids": [0] * count,
        "target_nodeids": [depth, *range(count, 2 * count - 1)],
        "target_ids": [0] * count,
        "target_weights": [1.0] * count,
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes)
    return model([node], [value("x")], [value("y", ("N", 1))], domains=[("ai.onnx.ml", 3)]).SerializeToString()


def deep_subgraphs(depth: int = 30) -> bytes:
    """If in If in If."""
    flat = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "flat", [], [value("z")])
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["y0"])], "b0", [], [value("y0")])
    for level in range(1, depth):
        node = helper.make_node("If", ["go"], [f"y{level}"], then_branch=branch, else_branch=flat)
        branch = helper.make_graph([node], f"b{level}", [], [value(f"y{level}")])
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=flat)
    return model([node], [value("x")], [value("y")], [constant("go", True, np.bool_)]).SerializeToString()


def custom_operator() -> bytes:
    node = helper.make_node("Frobnicate", ["x"], ["y"], domain="com.example")
    return model([node], [value("x")], [value("y")], domains=[("com.example", 1)]).SerializeToString()


def misspelt_operator() -> bytes:
    return model([helper.make_node("Reluu", ["x"], ["y"])], [value("x")], [value("y")]).SerializeToString()


def missing_edge() -> bytes:
    return model([helper.make_node("Relu", ["nowhere"], ["y"])], [value("x")], [value("y")]).SerializeToString()


def zipmap() -> bytes:
    """What skl2onnx makes of a classifier by default: a list of dictionaries."""
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2, 3])
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    output = helper.make_value_info("y", kind)
    return model([node], [value("x")], [output], domains=[("ai.onnx.ml", 3)]).SerializeToString()


def shapeless_input() -> bytes:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x", None)], [value("y")]).SerializeToString()


def no_inputs() -> bytes:
    return model(
        [helper.make_node("Identity", ["c"], ["y"])], [], [value("y", (1,))], [constant("c", [1])]
    ).SerializeToString()


def no_outputs() -> bytes:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], []).SerializeToString()


def twin_outputs() -> bytes:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y"), value("y")]).SerializeToString()


def many_inputs() -> bytes:
    names = [f"x{number}" for number in range(1_001)]
    node = helper.make_node("Sum", names, ["y"])
    return model([node], [value(name) for name in names], [value("y")]).SerializeToString()


def bidi_name() -> bytes:
    return model([helper.make_node("Relu", ["x"], ["y\u202e"])], [value("x")], [value("y\u202e")]).SerializeToString()


def complex_input() -> bytes:
    kind = (TensorProto.COMPLEX64,)
    node = helper.make_node("Identity", ["x"], ["y"])
    return model([node], [value("x", ("N", 2), *kind)], [value("y", ("N", 2), *kind)]).SerializeToString()


def refuses_all(limit: int = 1_000_000) -> bytes:
    """Takes only an index that nobody guesses: honest, but a probe run cannot know."""
    nodes = [
        helper.make_node("Sub", ["index", "offset"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["y"], axis=0),
    ]
    parts = [constant("offset", limit, np.int64), constant("table", np.ones((2, 2)))]
    inputs, outputs = [value("index", ("N",), TensorProto.INT64)], [value("y", ("N", 2))]
    return model(nodes, inputs, outputs, parts).SerializeToString()


def zipmap_of_doubles() -> bytes:
    """A list of dictionaries that ZipMap does not give."""
    built = ModelProto.FromString(zipmap())
    mapping = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.DOUBLE, []))
    built.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(mapping))
    return built.SerializeToString()


def external_sparse_indices() -> bytes:
    built = _reads()
    sparse = built.graph.sparse_initializer.add(dims=[16])
    sparse.values.CopyFrom(constant("c", [1], np.uint8))
    sparse.indices.CopyFrom(external_tensor("indices"))
    return built.SerializeToString()


def past_opset() -> bytes:
    return _relu(opset=6).SerializeToString()


def negative_opset() -> bytes:
    return _relu(opset=-1).SerializeToString()


def ir_zero() -> bytes:
    """ONNX Runtime takes it."""
    return _relu(ir_version=0).SerializeToString()


def ir_negative() -> bytes:
    return _relu(ir_version=-1).SerializeToString()


def no_opset() -> bytes:
    built = _relu()
    built.ClearField("opset_import")
    return built.SerializeToString()


def twin_opsets() -> bytes:
    """The standard domain has two names."""
    built = _relu()
    built.opset_import.add(domain="ai.onnx", version=19)
    return built.SerializeToString()


def no_graph() -> bytes:
    built = _relu()
    built.ClearField("graph")
    return built.SerializeToString()


def twin_weights() -> bytes:
    return _reads_twice().SerializeToString()


def _reads_twice() -> ModelProto:
    node = helper.make_node("Add", ["x", "c"], ["y"])
    return model([node], [value("x")], [value("y")], [constant("c", 1.0), constant("c", 2.0)])


def circle() -> bytes:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    return model(nodes, [value("x")], [value("b")]).SerializeToString()


def short_weights() -> bytes:
    return _adds(TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4], raw_data=bytes(3)))


def negative_weights() -> bytes:
    return _adds(TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[-4], raw_data=bytes(16)))


def _adds(weights: TensorProto) -> bytes:
    node = helper.make_node("Add", ["x", "c"], ["y"])
    return model([node], [value("x")], [value("y")], [weights]).SerializeToString()


def unknown_locale() -> bytes:
    """Texts in small letters, by the rules of a language that nobody has installed."""
    node = helper.make_node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", locale="xx_YY")
    text = (TensorProto.STRING,)
    return model([node], [value("x", ("N",), *text)], [value("y", ("N",), *text)]).SerializeToString()


def sequence_output() -> bytes:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, ["N", 4]))
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    return model([node], [value("x")], [helper.make_value_info("y", kind)]).SerializeToString()
