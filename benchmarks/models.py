"""The models that are measured: one of each weight, with random weights that are always the same.

What they compute means nothing; how long they take does. `python3 benchmarks/models.py` prints that.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from graph import Graph
from onnx import TensorProto
from table import heading, show

VOCABULARY = 1_000


class Model(NamedTuple):
    """`shape` is that of one row, without the batch in front. The output `y` is FP32."""

    name: str
    build: Callable[[], bytes]
    shape: tuple[int, ...]
    datatype: str = "FP32"

    @cache  # noqa: B019  A handful for the life of a script.
    def content(self) -> bytes:
        return self.build()

    def rows(self, n: int = 1) -> np.ndarray:
        """Inputs that are always the same, with few decimals, as people send them."""
        random, shape = np.random.default_rng(11), (n, *self.shape)
        if self.datatype == "INT64":
            return random.integers(0, VOCABULARY, shape)
        return random.uniform(0.1, 7.9, shape).round(2).astype(np.float32)

    def session(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return ort.InferenceSession(self.content(), options, providers=["CPUExecutionProvider"])


def iris() -> bytes:
    """Logistic regression: four numbers to three probabilities."""
    graph = Graph("iris", ["n", 4])
    return graph.bytes(graph.add("Softmax", graph.dense("x", 4, 3), axis=1), ["n", 3])


def cnn() -> bytes:
    """A small convolutional net for digits."""
    graph = Graph("cnn", ["n", 1, 28, 28])
    value = graph.add("Relu", graph.conv("x", 1, 16, 3, 2))
    value = graph.add("Relu", graph.conv(value, 16, 32, 3, 2))
    return graph.bytes(graph.dense(graph.add("Flatten", value), 32 * 7 * 7, 10), ["n", 10])


def encoder(n_layers: int = 4, width: int = 256, n_tokens: int = 64) -> bytes:
    """Token numbers to the mean of what a small transformer makes of them."""
    graph = Graph("encoder", ["n", n_tokens], TensorProto.INT64)
    value = graph.add("Gather", graph.normal(VOCABULARY, width), "x")
    for _ in range(n_layers):
        value = _residual(graph, value, _attention(graph, value, width, n_tokens), width)
        hidden = graph.add("Relu", graph.dense(value, width, 2 * width))
        value = _residual(graph, value, graph.dense(hidden, 2 * width, width), width)
    mean = graph.add("ReduceMean", value, graph.constant(np.array([1])), keepdims=0)
    return graph.bytes(mean, ["n", width])


def _attention(graph: Graph, value: str, width: int, n_tokens: int, n_heads: int = 4) -> str:
    split = graph.constant(np.array([0, n_tokens, n_heads, width // n_heads]))
    joined = graph.constant(np.array([0, n_tokens, width]))

    def heads(order: list[int]) -> str:
        return graph.add("Transpose", graph.add("Reshape", graph.dense(value, width, width), split), perm=order)

    scores = graph.add("MatMul", heads([0, 2, 1, 3]), heads([0, 2, 3, 1]))
    scale = graph.constant(np.array((width / n_heads) ** -0.5, np.float32))
    weights = graph.add("Softmax", graph.add("Mul", scores, scale), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, heads([0, 2, 1, 3])), perm=[0, 2, 1, 3])
    return graph.dense(graph.add("Reshape", mixed, joined), width, width)


def _residual(graph: Graph, value: str, change: str, width: int) -> str:
    total = graph.add("Add", value, change)
    return graph.add("LayerNormalization", total, graph.ones(width), graph.zeros(width), axis=-1)


def mobilenet() -> bytes:
    """Inverted residuals as in MobileNetV2, at its full width."""
    graph = Graph("mobilenet", ["n", 3, 224, 224])
    value, n_in = graph.add("Clip", graph.conv("x", 3, 32, 3, 2), *_six(graph)), 32
    for expand, n_out, repeat, stride in MOBILENET:
        for index in range(repeat):
            value = _inverted(graph, value, n_in, n_out, expand, stride if index == 0 else 1)
            n_in = n_out
    value = graph.add("Clip", graph.conv(value, n_in, 1280, 1), *_six(graph))
    return graph.bytes(_classes(graph, value, 1280), ["n", 1000])


MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _inverted(graph: Graph, value: str, n_in: int, n_out: int, expand: int, stride: int) -> str:
    n_wide, wide = n_in * expand, value
    if expand > 1:
        wide = graph.add("Clip", graph.conv(value, n_in, n_wide, 1), *_six(graph))
    deep = graph.add("Clip", graph.conv(wide, n_wide, n_wide, 3, stride, group=n_wide), *_six(graph))
    narrow = graph.conv(deep, n_wide, n_out, 1)
    return graph.add("Add", value, narrow) if stride == 1 and n_in == n_out else narrow


def _six(graph: Graph) -> tuple[str, str]:
    return graph.constant(np.array(0, np.float32)), graph.constant(np.array(6, np.float32))


def resnet18() -> bytes:
    graph = Graph("resnet18", ["n", 3, 224, 224])
    value = graph.add("Relu", graph.conv("x", 3, 64, 7, 2))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    n_in = 64
    for n_out, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        first = graph.add("Relu", graph.conv(value, n_in, n_out, 3, stride))
        short = value if n_in == n_out else graph.conv(value, n_in, n_out, 1, stride)
        value = graph.add("Relu", graph.add("Add", graph.conv(first, n_out, n_out, 3), short))
        n_in = n_out
    return graph.bytes(_classes(graph, value, 512), ["n", 1000])


def _classes(graph: Graph, value: str, width: int) -> str:
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    return graph.dense(pooled, width, 1000)


IMAGE = (3, 224, 224)
MODELS = {
    model.name: model
    for model in (
        Model("iris", iris, (4,)),
        Model("cnn", cnn, (1, 28, 28)),
        Model("encoder", encoder, (64,), "INT64"),
        Model("mobilenet", mobilenet, IMAGE),
        Model("resnet18", resnet18, IMAGE),
    )
}


def seconds_per_run(model: Model) -> float:
    session, feed, times = model.session(), {"x": model.rows()}, list[float]()
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        begin = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


def main() -> None:
    heading("What one run of each model takes, in one thread")
    rows = [[name, len(model.content()) / 1e6, 1e6 * seconds_per_run(model)] for name, model in MODELS.items()]
    show(["", "MB", "us per run"], rows)


if __name__ == "__main__":
    main()
