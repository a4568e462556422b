"""Tiny ONNX models, built in code. Each function returns the bytes of an .onnx file (IR 10, opset 20)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

IR_VERSION = 10
OPSET = 20
Shape = Sequence[int | str | None]
_CLASSES = ("setosa", "versicolor", "virginica")


def value(name: str, shape: Shape | None = ("N", 4), element: int = TensorProto.FLOAT) -> ValueInfoProto:
    """A named tensor; `shape` None leaves even the rank open."""
    return helper.make_tensor_value_info(name, element, shape)


def constant(name: str, data: object, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(data, dtype=dtype), name)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    initializers: Sequence[TensorProto] = (),
    *,
    opset: int = OPSET,
    ir_version: int = IR_VERSION,
    domains: Sequence[tuple[str, int]] = (),
    functions: Sequence[object] = (),
) -> ModelProto:
    graph = helper.make_graph(list(nodes), "tiny", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, version) for domain, version in domains)]
    return helper.make_model(
        graph, opset_imports=imports, ir_version=ir_version, functions=list(functions), producer_name="slipway-tests"
    )


def add_constant(value_added: float = 1.0, shape: Shape = ("N", 4)) -> bytes:
    """y = x + value_added, FP32."""
    node = helper.make_node("Add", ["x", "c"], ["y"])
    return model([node], [value("x", shape)], [value("y", shape)], [constant("c", value_added)]).SerializeToString()


def heavy_add_constant(value_added: float = 1.0, width: int = 1024) -> bytes:
    """y = x + value_added, exactly, after some four million multiplications by zero a row: a job takes its time."""
    nodes = [
        helper.make_node("MatMul", ["x", "W1"], ["wide"]),
        helper.make_node("MatMul", ["wide", "W2"], ["wider"]),
        helper.make_node("MatMul", ["wider", "W2"], ["widest"]),
        helper.make_node("MatMul", ["widest", "W3"], ["nothing"]),
        helper.make_node("Sum", ["x", "c", "nothing"], ["y"]),
    ]
    parts = [
        constant("W1", np.zeros((4, width))),
        constant("W2", np.zeros((width, width))),
        constant("W3", np.zeros((width, 4))),
        constant("c", value_added),
    ]
    return model(nodes, [value("x")], [value("y")], parts).SerializeToString()


def identity(element: int = TensorProto.FLOAT, shape: Shape = ("N", 4)) -> bytes:
    node = helper.make_node("Identity", ["x"], ["y"])
    return model([node], [value("x", shape, element)], [value("y", shape, element)]).SerializeToString()


def identity_int64(shape: Shape = ("N", 2)) -> bytes:
    return identity(TensorProto.INT64, shape)


def strings(shape: Shape = ("N", 1)) -> bytes:
    """BYTES in, the same BYTES out."""
    return identity(TensorProto.STRING, shape)


def classifier(weights: object | None = None, bias: object | None = None, p: str = "probabilities") -> bytes:
    """Linear softmax over four features: `label` INT64 [N], and `p`, FP32 [N, 3]."""
    matrix = np.eye(4, 3) if weights is None else weights
    nodes = [
        helper.make_node("Gemm", ["X", "W", "b"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [p], axis=1),
        helper.make_node("ArgMax", [p], ["label"], axis=1, keepdims=0),
    ]
    outputs = [value("label", ("N",), TensorProto.INT64), value(p, ("N", 3))]
    parts = [constant("W", matrix), constant("b", [0.0, 0.0, 0.0] if bias is None else bias)]
    return model(nodes, [value("X")], outputs, parts).SerializeToString()


def named_classifier() -> bytes:
    """Like `classifier`, with the class's name as text: `name` BYTES [N]."""
    nodes = [
        helper.make_node("ArgMax", ["X"], ["index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["names", "index"], ["name"]),
    ]
    names = helper.make_tensor("names", TensorProto.STRING, [4], [name.encode() for name in (*_CLASSES, "other")])
    return model(nodes, [value("X")], [value("name", ("N",), TensorProto.STRING)], [names]).SerializeToString()


def mlp(width: int = 8, seed: int = 7) -> bytes:
    """Two layers on four features, one FP32 output [N, 1]; the weights come from `seed`."""
    random = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Gemm", ["x", "W1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "W2", "b2"], ["y"]),
    ]
    parts = [
        constant("W1", random.normal(size=(4, width))),
        constant("b1", np.zeros(width)),
        constant("W2", random.normal(size=(width, 1))),
        constant("b2", [0.5]),
    ]
    return model(nodes, [value("x")], [value("y", ("N", 1))], parts).SerializeToString()


def two_inputs() -> bytes:
    """total = a + b, with a FP32 [N, 2] and b FP32 [N, 2]."""
    node = helper.make_node("Add", ["a", "b"], ["total"])
    shape = ("N", 2)
    return model([node], [value("a", shape), value("b", shape)], [value("total", shape)]).SerializeToString()


def fixed_batch(size: int = 3) -> bytes:
    return add_constant(1.0, (size, 4))


def batch_mean() -> bytes:
    """Each row minus the mean over the batch: rows depend on each other."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    return model(nodes, [value("x")], [value("y")], [constant("axes", [0], np.int64)]).SerializeToString()


def random_output() -> bytes:
    """y = x + noise: different at each run."""
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"]),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    return model(nodes, [value("x")], [value("y")]).SerializeToString()


def gather(n_rows: int = 10) -> bytes:
    """A table of `n_rows` looked up by INT64 index [N]."""
    node = helper.make_node("Gather", ["table", "index"], ["y"])
    table = constant("table", np.arange(n_rows * 2).reshape(n_rows, 2))
    inputs, outputs = [value("index", ("N",), TensorProto.INT64)], [value("y", ("N", 2))]
    return model([node], inputs, outputs, [table]).SerializeToString()


def division(name: str = "tiny") -> bytes:
    """quotient = a / b, INT64 [N]: the smallest number by -1 kills a process with SIGFPE. Other bytes by each name."""
    node = helper.make_node("Div", ["a", "b"], ["quotient"])
    a, b, quotient = (value(name, ("N",), TensorProto.INT64) for name in ("a", "b", "quotient"))
    made = model([node], [a, b], [quotient])
    made.graph.name = name
    return made.SerializeToString()


def shapeless_output(element: int = TensorProto.FLOAT) -> bytes:
    """y = x, where y declares no shape at all, as some exporters write it."""
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    return model(
        [node], [value("x"), value("s", (2,), TensorProto.INT64)], [value("y", None, element)]
    ).SerializeToString()


def wrong_output_shape() -> bytes:
    """y is declared as [N, 3] and is [N, 4] in truth, which the runtime cannot know before it runs."""
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    inputs = [value("x"), value("s", (2,), TensorProto.INT64)]
    return model([node], inputs, [value("y", ("N", 3))]).SerializeToString()


def slow(n_trips: int = 1_000_000) -> bytes:
    """y = x after a loop of `n_trips` trips: a prediction that takes as long as one likes."""
    return looping(n_trips)


def looping(n_trips: int) -> bytes:
    carried = [value("acc", ("M",))]
    body = helper.make_graph(
        [helper.make_node("Identity", ["cond_in"], ["cond"]), helper.make_node("Identity", ["acc"], ["next"])],
        "body",
        [value("i", (), TensorProto.INT64), value("cond_in", (), TensorProto.BOOL), *carried],
        [value("cond", (), TensorProto.BOOL), value("next", ("M",))],
    )
    node = helper.make_node("Loop", ["trips", "go", "x"], ["y"], body=body)
    parts = [constant("trips", n_trips, np.int64), constant("go", True, np.bool_)]
    return model([node], [value("x", ("M",))], [value("y", ("M",))], parts).SerializeToString()


def division_by_input(name: str = "tiny") -> bytes:
    """z = x / y, INT64, one number each: the smallest number by -1 ends the process that computes it."""
    vector = [value(edge, [1], TensorProto.INT64) for edge in "xyz"]
    made = model([helper.make_node("Div", ["x", "y"], ["z"])], vector[:2], vector[2:])
    made.graph.name = name
    return made.SerializeToString()


def counting_loop() -> bytes:
    """y = trips + 1 after so many turns of a loop: INT64 without dimensions, so a caller decides how long it runs."""
    scalar = [value(edge, [], TensorProto.INT64) for edge in ("n", "before", "after", "trips", "y")]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["before", "one"], ["after"]),
        ],
        "turn",
        [scalar[0], value("go", [], TensorProto.BOOL), scalar[1]],
        [value("go_on", [], TensorProto.BOOL), scalar[2]],
        [constant("one", 1, np.int64)],
    )
    loop = helper.make_node("Loop", ["trips", "", "start"], ["y"], body=body)
    start = constant("start", 1, np.int64)
    return model([loop], [scalar[3]], [scalar[4]], [start]).SerializeToString()


def refuses_from(limit: int = 10, value_added: float = 1.0) -> bytes:
    """y = x + value_added; a row whose first value is `limit` or more is refused, as an index beyond a table."""
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["column"], axis=1),
        helper.make_node("Cast", ["column"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["nothing"], axis=0),
        helper.make_node("Sum", ["x", "c", "nothing"], ["y"]),
    ]
    parts = [
        constant("first", [0], np.int64),
        constant("table", np.zeros(limit)),
        constant("c", value_added),
    ]
    return model(nodes, [value("x")], [value("y")], parts).SerializeToString()


def zipmap_classifier(labels: Sequence[int] | Sequence[str] = ("setosa", "versicolor", "virginica")) -> bytes:
    """What skl2onnx makes of a classifier by default: `label`, and `probabilities` as a list of dictionaries."""
    text = isinstance(labels[0], str)
    kind, key = (TensorProto.STRING, "strings") if text else (TensorProto.INT64, "int64s")
    names = helper.make_tensor("names", kind, [len(labels)], [n.encode() if text else n for n in labels])
    nodes = [
        helper.make_node("Gemm", ["X", "W"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["names", "index"], ["label"]),
        helper.make_node(
            "ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", **{f"classlabels_{key}": list(labels)}
        ),
    ]
    mapping = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    outputs = [
        value("label", ("N",), kind),
        helper.make_value_info("probabilities", helper.make_sequence_type_proto(mapping)),
    ]
    parts = [constant("W", np.eye(4, len(labels))), names]
    return model(nodes, [value("X")], outputs, parts, domains=[("ai.onnx.ml", 3)]).SerializeToString()
