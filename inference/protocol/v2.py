"""The V2 protocol (Open Inference Protocol) over HTTP: JSON bodies to arrays and back.

NaN and infinities: JSON has no word for them. In requests they are refused; in answers each becomes `null`, which
numpy clients read as NaN. Binary tensors are an extension of the protocol that `server_metadata` does not list: a body
that carries some is refused, a client that merely prefers binary answers gets JSON, as the protocol allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from inference.protocol.strict_json import check_no_duplicates, count_keys, may_hold_bools, parse_object
from inference.runtime.tensors import quoted, to_array
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.signature import Signature, TensorSpec

MISSING = object()


class InferRequest(NamedTuple):
    """`outputs` holds the names asked for, in that order, or None for all."""

    id: str | None
    inputs: dict[str, np.ndarray]
    outputs: tuple[str, ...] | None
    parameters: dict[str, Any]


def decode_infer(body: bytes, signature: Signature) -> InferRequest:
    """Raises InvalidInput with a sentence that names the tensor where one is at fault."""
    document = _document(body)
    n_keys = len(document)
    inputs, input_keys = _inputs(document.get("inputs"), signature.inputs, may_hold_bools(body))
    n_keys += input_keys
    request_id, outputs, parameters = None, None, {}
    if len(document) > 1:
        for key, value in document.items():
            if key != "inputs":
                n_keys += count_keys(value)
        request_id = _request_id(document.get("id"))
        outputs = _outputs(document.get("outputs"), signature.outputs)
        parameters = _parameters(document, "The request")
    check_no_duplicates(body, n_keys)
    return InferRequest(request_id, inputs, outputs, parameters)


def _document(body: bytes) -> dict[str, Any]:
    try:
        return parse_object(body)
    except InvalidInput:
        if b'"binary_data_size"' in body:
            raise binary_not_supported() from None
        raise


def _inputs(items: Any, specs: tuple[TensorSpec, ...], bools: bool) -> tuple[dict[str, np.ndarray], int]:
    """The arrays by name, and how many JSON keys the inputs held."""
    if type(items) is not list:
        raise InvalidInput('The body needs "inputs", a list of tensors.', code="missing_inputs")
    arrays: dict[str, np.ndarray] = {}
    n_keys = 0
    for position, item in enumerate(items):
        if type(item) is not dict:
            raise InvalidInput(
                "Each input must be an object with name, shape, datatype and data.", code="invalid_tensor"
            )
        sent = item.get("name")
        spec = specs[position] if position < len(specs) and specs[position].name == sent else _spec(specs, sent)
        name = spec.name
        if name in arrays:
            raise InvalidInput(f"Input {quoted(name)} was sent twice.", code="duplicate_tensor")
        n_keys += len(item)
        data = item.get("data", MISSING)
        if len(item) != 4 or data is MISSING:
            n_keys += _input_extras(item, name)
        arrays[name] = to_array(name, item.get("datatype"), item.get("shape"), data, spec, bools)
    if len(arrays) != len(specs):
        missing = ", ".join(quoted(spec.name) for spec in specs if spec.name not in arrays)
        raise InvalidInput(f"The model also needs input {missing}.", code="missing_tensor")
    return arrays, n_keys


def _spec(specs: tuple[TensorSpec, ...], name: Any) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    if type(name) is not str:
        raise InvalidInput("Each input needs a name, as text.", code="invalid_tensor")
    known = ", ".join(quoted(spec.name) for spec in specs[:10])
    raise InvalidInput(f"The model has no input {quoted(name)}; it takes {known}.", code="unknown_tensor")


def _input_extras(item: dict[str, Any], name: str) -> int:
    """How many keys stand below the item's own, apart from its data. Refuses tensors whose values are elsewhere."""
    parameters = _parameters(item, f"Input {quoted(name)}")
    if "binary_data_size" in parameters:
        raise binary_not_supported()
    if "shared_memory_region" in parameters:
        raise shared_memory_not_supported()
    for key in ("shape", "datatype", "data"):
        if key not in item:
            raise InvalidInput(f"Input {quoted(name)} needs {key}.", code="invalid_tensor")
    return sum(count_keys(value, level=4) for key, value in item.items() if key != "data")


def _outputs(items: Any, specs: tuple[TensorSpec, ...]) -> tuple[str, ...] | None:
    if items is None or items == []:
        return None
    if type(items) is not list:
        raise InvalidInput('"outputs" must be a list of objects with a name.', code="invalid_outputs")
    known = {spec.name for spec in specs}
    names = tuple(_output_name(item, known) for item in items)
    if len(set(names)) != len(names):
        raise InvalidInput("Each output may be asked for only once.", code="duplicate_output")
    return names


def _output_name(item: Any, known: set[str]) -> str:
    name = item.get("name") if type(item) is dict else None
    if type(name) is not str:
        raise InvalidInput('"outputs" must be a list of objects with a name.', code="invalid_outputs")
    if name not in known:
        raise InvalidInput(f"The model has no output {quoted(name)}.", code="unknown_output")
    parameters = _parameters(item, f"Output {quoted(name)}")
    if parameters.get("classification"):
        raise InvalidInput("The classification extension is not supported.", code="classification_not_supported")
    if "shared_memory_region" in parameters:
        raise shared_memory_not_supported()
    return name


def _request_id(value: Any) -> str | None:
    if value is not None and type(value) is not str:
        raise InvalidInput('"id" must be text.', code="invalid_id")
    return value


def _parameters(holder: dict[str, Any], owner: str) -> dict[str, Any]:
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise InvalidInput(f"{owner}: parameters must be an object.", code="invalid_parameters")
    return parameters


def binary_not_supported() -> InvalidInput:
    """Also the answer to a request with the header Inference-Header-Content-Length."""
    return InvalidInput(
        "Binary tensors are not supported here; send the values as JSON (tritonclient: binary_data=False).",
        code="binary_not_supported",
    )


def shared_memory_not_supported() -> InvalidInput:
    return InvalidInput("Shared memory is not supported; send the values as JSON.", code="shared_memory_not_supported")


def encode_infer(
    model_name: str,
    model_version: str,
    request_id: str | None,
    specs: Sequence[TensorSpec],
    arrays: Sequence[np.ndarray],
    parameters: dict[str, Any] | None = None,
) -> bytes:
    """The answer's body, data flat in row-major order. Raises Unprocessable if JSON cannot hold an output."""
    document: dict[str, Any] = {"model_name": model_name, "model_version": model_version}
    if request_id is not None:
        document["id"] = request_id
    if parameters:
        document["parameters"] = parameters
    document["outputs"] = [
        {"name": spec.name, "datatype": spec.datatype, "shape": array.shape, "data": _data(array, spec)}
        for spec, array in zip(specs, arrays, strict=True)
    ]
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        raise Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json") from None


def _data(array: np.ndarray, spec: TensorSpec) -> Any:
    if spec.datatype == "BYTES":
        return array.ravel().tolist()
    return array.ravel()


def metadata(
    name: str, versions: Sequence[str], signature: Signature, platform: str = "onnxruntime_onnx"
) -> dict[str, Any]:
    return {"name": name, "versions": list(versions), "platform": platform, **signature.as_json()}


def server_metadata(version: str, name: str = "slipway") -> dict[str, Any]:
    """Lists an extension only once it works."""
    return {"name": name, "version": version, "extensions": []}


def error_body(message: str, code: str, request_id: str | None) -> bytes:
    return orjson.dumps({"error": message, "code": code, "request_id": request_id})
