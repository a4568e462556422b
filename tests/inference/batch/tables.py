"""Layouts and signatures for the tests of this room."""

from __future__ import annotations

from dataclasses import replace

from inference.batch.layout import Layout, layout_of
from registry.artifacts.signature import Signature, TensorSpec

Tensors = dict[str, tuple[str, tuple[int, ...]]]


def signature(inputs: Tensors, outputs: Tensors) -> Signature:
    def specs(items: Tensors) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, datatype, shape) for name, (datatype, shape) in items.items())

    return Signature(specs(inputs), specs(outputs))


def layout(datatype: str = "FP32", width: int = 4, *, n_columns: int | None = None, delimiter: str = ",") -> Layout:
    """One input X in the first `width` columns."""
    bare = layout_of(signature({"X": (datatype, (-1, width))}, {"Y": ("FP32", (-1, 1))}))
    item = replace(bare.inputs[0], columns=tuple(range(width)))
    return replace(bare, inputs=(item,), n_columns=n_columns or width, delimiter=delimiter)
