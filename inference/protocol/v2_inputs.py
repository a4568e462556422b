"""The `inputs` of a V2 request: JSON tensors, raw ones behind the JSON, or both."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.protocol.binary import RawTensors
from inference.protocol.parameters import parameters_of, refuse_shared_memory
from inference.protocol.strict_json import count_keys
from inference.runtime.tensors import quoted, to_array
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import TensorSpec

Specs = tuple[TensorSpec, ...]


def read_inputs(items: Any, specs: Specs, bools: bool, raw: RawTensors | None) -> tuple[dict[str, np.ndarray], int]:
    """The arrays by name, and how many JSON keys the inputs held. `raw` is what lies behind the JSON, if anything may.

    `bools=False` says that no boolean stands in the body.
    """
    if type(items) is not list:
        raise InvalidInput('The body needs "inputs", a list of tensors.', code="missing_inputs")
    arrays: dict[str, np.ndarray] = {}
    n_keys = 0
    for position, item in enumerate(items):
        if type(item) is not dict:
            raise InvalidInput(
                "Each input must be an object with name, shape, datatype and data.", code="invalid_tensor"
            )
        name: Any = item.get("name")
        spec = specs[position] if position < len(specs) and specs[position].name == name else find_spec(specs, name)
        if name in arrays:
            raise InvalidInput(f"Input {quoted(name)} was sent twice.", code="duplicate_tensor")
        n_keys += len(item)
        if len(item) == 4 and "data" in item:
            arrays[name] = to_array(name, item.get("datatype"), item.get("shape"), item["data"], spec, bools)
        else:
            n_keys += sum(count_keys(value, level=4) for key, value in item.items() if key != "data")
            arrays[name] = _with_parameters(item, spec, bools, raw)
    if len(arrays) != len(specs):
        raise missing_inputs(specs, arrays)
    return arrays, n_keys


def find_spec(specs: Specs, name: Any) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    if type(name) is not str:
        raise InvalidInput("Each input needs a name, as text.", code="invalid_tensor")
    known = ", ".join(quoted(spec.name) for spec in specs[:10])
    raise InvalidInput(f"The model has no input {quoted(name)}; it takes {known}.", code="unknown_tensor")


def missing_inputs(specs: Specs, given: dict[str, Any]) -> InvalidInput:
    missing = ", ".join(quoted(spec.name) for spec in specs if spec.name not in given)
    return InvalidInput(f"The model also needs input {missing}.", code="missing_tensor")


def _with_parameters(item: dict[str, Any], spec: TensorSpec, bools: bool, raw: RawTensors | None) -> np.ndarray:
    """A tensor that has more or less than the usual four keys: its values may be elsewhere."""
    owner = f"Input {quoted(spec.name)}"
    parameters = parameters_of(item, owner)
    refuse_shared_memory(parameters)
    in_binary = "binary_data_size" in parameters
    for key in ("shape", "datatype") if in_binary else ("shape", "datatype", "data"):
        if key not in item:
            raise InvalidInput(f"{owner} needs {key}.", code="invalid_tensor")
    if not in_binary:
        return to_array(spec.name, item["datatype"], item["shape"], item["data"], spec, bools)
    if raw is None:
        raise missing_header_length()
    if "data" in item:
        raise InvalidInput(f"{owner} has both data and binary_data_size: send one of them.", code="invalid_tensor")
    return raw.take(spec, item["datatype"], item["shape"], parameters["binary_data_size"])


def missing_header_length() -> InvalidInput:
    return InvalidInput(
        "Binary tensors need the header Inference-Header-Content-Length, the number of bytes before them.",
        code="missing_header_length",
    )
