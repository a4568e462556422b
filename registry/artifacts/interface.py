"""The inputs and outputs of a model must be tensors that the V2 protocol can carry. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from registry.artifacts.limits import Limits
from registry.artifacts.names import is_invisible, readable
from registry.artifacts.report import Rejected

_Tensor = onnx.TensorProto
_V2_ELEMENTS = {
    _Tensor.BOOL,
    *(_Tensor.UINT8, _Tensor.UINT16, _Tensor.UINT32, _Tensor.UINT64),
    *(_Tensor.INT8, _Tensor.INT16, _Tensor.INT32, _Tensor.INT64),
    *(_Tensor.FLOAT16, _Tensor.FLOAT, _Tensor.DOUBLE, _Tensor.BFLOAT16),
    _Tensor.STRING,
}


def check_interface(graph: onnx.GraphProto, limits: Limits) -> None:
    inputs = _real_inputs(graph)
    _check_tensors("input", inputs, limits)
    _check_tensors("output", graph.output, limits)
    for value in inputs:
        if not value.type.tensor_type.HasField("shape"):
            raise Rejected(
                "unknown_rank",
                f"The input {readable(value.name)!r} has no shape. Export the model with a shape for each input, where "
                "sizes that vary may be left free.",
            )


def _real_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Initializers may be listed as inputs too; they are defaults, not something a caller sends."""
    constants = {tensor.name for tensor in graph.initializer} | {item.values.name for item in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in constants]


def _check_tensors(what: str, values: Sequence[onnx.ValueInfoProto], limits: Limits) -> None:
    if not values:
        raise Rejected(
            f"no_{what}s", f"The model has no {what}s, so it cannot answer predictions. Export it with some."
        )
    if len(values) > limits.max_tensors:
        raise Rejected(
            "too_many_tensors",
            f"The model has more than {limits.max_tensors:,} {what}s; combine them into fewer tensors.",
        )
    for value in values:
        _check_name(what, value.name, limits)
        _check_type(what, value)


def _check_name(what: str, name: str, limits: Limits) -> None:
    if not name.strip() or len(name) > limits.max_name_length or any(is_invisible(character) for character in name):
        raise Rejected(
            "bad_tensor_name",
            f"The name of the {what} {readable(name)!r} is empty, longer than {limits.max_name_length} characters or "
            f"holds invisible characters. Rename the {what} and upload the model again.",
        )


def _check_type(what: str, value: onnx.ValueInfoProto) -> None:
    kind = value.type.WhichOneof("value")
    if kind == "tensor_type" and value.type.tensor_type.elem_type in _V2_ELEMENTS:
        return
    if _is_list_of_maps(value):
        if what == "output" and is_zipmap(value):
            return
        raise Rejected(
            f"zipmap_{what}",
            f"The {what} {readable(value.name)!r} is a list of dictionaries other than labels with float32 values, "
            "which the protocol cannot carry. Export with options={'zipmap': False} in skl2onnx.to_onnx.",
        )
    raise Rejected(
        f"unsupported_{what}_type",
        f"The {what} {readable(value.name)!r} is {_type_name(kind, value)}; only plain tensors of numbers, booleans "
        "and texts can be served. Change the export so that it gives such a tensor.",
    )


def _is_list_of_maps(value: onnx.ValueInfoProto) -> bool:
    kind = value.type
    return bool(kind.HasField("sequence_type") and kind.sequence_type.elem_type.HasField("map_type"))


def is_zipmap(value: onnx.ValueInfoProto) -> bool:
    """A list of dictionaries from whole numbers or texts to float32, which can be turned into a tensor."""
    if not _is_list_of_maps(value):
        return False
    mapping = value.type.sequence_type.elem_type.map_type
    return (
        mapping.key_type in (_Tensor.INT64, _Tensor.STRING)
        and mapping.value_type.tensor_type.elem_type == _Tensor.FLOAT
    )


def _type_name(kind: Any, value: onnx.ValueInfoProto) -> str:
    if kind == "tensor_type":
        element = value.type.tensor_type.elem_type
        known = element in _Tensor.DataType.values()
        return f"a tensor of {_Tensor.DataType.Name(element).lower()}" if known else "a tensor of an unknown type"
    names = {
        "sequence_type": "a sequence",
        "map_type": "a map",
        "optional_type": "optional",
        "sparse_tensor_type": "sparse",
    }
    return names.get(str(kind), "of no known type")
