"""Weights that a model keeps in data files beside it. Runs in the sandbox child only.

ONNX Runtime resolves such a reference against the file system of whoever loads the model. So a reference is taken only
where it names a file of the version's own bundle, and stays inside it; anywhere else it would read what is not there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

from registry.artifacts.bundle import MAX_DATA_FILES, check_name, missing_file, too_many_data_files
from registry.artifacts.limits import Limits
from registry.artifacts.names import readable
from registry.artifacts.report import Rejected
from registry.artifacts.walk import is_external, messages

_KEYS = {"location", "offset", "length", "checksum"}
_DIGITS = 19


def check_external(model: onnx.ModelProto, limits: Limits, data: Mapping[str, int]) -> None:
    """`data` holds the sizes of the bundle's data files by name; empty for a single file. Raises Rejected."""
    found = [item for item in messages(model, limits) if isinstance(item, onnx.TensorProto) and is_external(item)]
    if found and not data:
        raise Rejected(
            "external_data",
            "The model keeps its weights in a second file. Upload a .zip or .tar of model.onnx and its data files, or "
            'save everything in one file, with onnx.save(onnx.load("model.onnx"), "single.onnx").',
        )
    weights = [tensor for tensor in model.graph.initializer if is_external(tensor)]
    if len(weights) < len(found):
        raise _misplaced()
    for tensor in weights:
        _check_reference(tensor, data)


def locations(model: onnx.ModelProto, limits: Limits) -> list[str]:
    """The data files that the graph names, each once, in its order. Raises Rejected for a name that is none."""
    tensors = (item for item in messages(model, limits) if isinstance(item, onnx.TensorProto) and is_external(item))
    found = list(dict.fromkeys(_entries(tensor).get("location", "") for tensor in tensors))
    if len(found) > MAX_DATA_FILES:
        raise too_many_data_files(len(found))
    return [_location(name) for name in found]


def hollow(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose external weights are empty tensors, for a checker that would look for the files itself."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    for tensor in light.graph.initializer:
        if is_external(tensor):
            tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0]))
    return light


def _check_reference(tensor: onnx.TensorProto, data: Mapping[str, int]) -> None:
    entries = _entries(tensor)
    name = _location(entries.get("location", ""))
    if name not in data:
        raise missing_file(name, data)
    if tensor.data_location != onnx.TensorProto.EXTERNAL or not set(entries) <= _KEYS:
        raise _unclear(tensor)
    offset, needed = _number(tensor, entries.get("offset", "0")), _bytes_of(tensor)
    length = _number(tensor, entries["length"]) if "length" in entries else needed
    if length != needed or offset + length > data[name] or not data[name]:
        raise Rejected(
            "data_out_of_file",
            f"The weights {readable(tensor.name)!r} need {needed:,} bytes from byte {offset:,} of {readable(name)!r}, "
            f"which are not there as the graph says: the file has {data[name]:,}. Save model and data again together.",
        )


def _bytes_of(tensor: onnx.TensorProto) -> int:
    """Raises Rejected for texts and unknown types, which have no fixed size, and for impossible dimensions."""
    if tensor.data_type in (onnx.TensorProto.STRING, onnx.TensorProto.UNDEFINED) or any(n < 0 for n in tensor.dims):
        raise _unclear(tensor)
    count = int(math.prod(tensor.dims))
    if tensor.data_type in _PACKED:
        return -(-count * _PACKED[tensor.data_type] // 8)
    try:
        return count * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except (KeyError, TypeError):
        raise _unclear(tensor) from None


# Bits of the types of which several share a byte.
_PACKED = {
    getattr(onnx.TensorProto, name): bits
    for name, bits in (("INT4", 4), ("UINT4", 4), ("FLOAT4E2M1", 4), ("INT2", 2), ("UINT2", 2))
    if hasattr(onnx.TensorProto, name)
}


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if len(entries) != len(tensor.external_data):
        raise _unclear(tensor)
    return entries


def _location(name: str) -> str:
    try:
        return check_name(name)
    except Rejected:
        raise Rejected(
            "unsafe_data_location",
            f"The graph looks for its weights in {readable(name)!r}, which is no plain file name beside the model. "
            "Save the model with its data files in the same folder, and pack both.",
        ) from None


def _number(tensor: onnx.TensorProto, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise _unclear(tensor)
    return int(text)


def _misplaced() -> Rejected:
    return Rejected(
        "external_data_place",
        "The model keeps values in a data file that are no weights of its main graph: there the runtime cannot find "
        "them. Save the model in one file, or only the weights of the main graph beside it.",
    )


def _unclear(tensor: onnx.TensorProto) -> Rejected:
    return Rejected(
        "bad_data_reference",
        f"The model does not say clearly where the weights {readable(tensor.name)!r} lie in their data file. Save it "
        "again with onnx.save(model, path, save_as_external_data=True).",
    )
