"""The labels of a classifier's columns, as its graph declares them. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from registry.artifacts.names import readable
from registry.artifacts.walk import domain_of
from registry.artifacts.zipmap import Label

# More of them are no help to anybody, and would make the report too long.
_MOST = 5_000


def declared_labels(graph: onnx.GraphProto) -> dict[str, list[Label]]:
    """By output, in the order of the columns: for outputs that come straight from a ZipMap of the main graph."""
    wanted = {value.name for value in graph.output}
    return {
        node.output[0]: _labels(node)
        for node in graph.node
        if node.op_type == "ZipMap" and domain_of(node.domain) == "ai.onnx.ml" and set(node.output) & wanted
    }


def shown_labels(labels: Sequence[Label]) -> list[Label]:
    if len(labels) > _MOST:
        return []
    return [readable(label) if isinstance(label, str) else label for label in labels]


def _labels(node: onnx.NodeProto) -> list[Label]:
    numbers: set[int] = set()
    texts: set[str] = set()
    for attribute in node.attribute:
        if attribute.name == "classlabels_int64s":
            numbers.update(attribute.ints)
        elif attribute.name == "classlabels_strings":
            texts.update(item.decode(errors="replace") for item in attribute.strings)
    return [*sorted(numbers)] or [*sorted(texts)]
