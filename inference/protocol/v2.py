"""The V2 protocol (Open Inference Protocol) over HTTP, with binary tensors: bodies to arrays and back.

NaN and infinities: JSON has no word for them. In JSON requests they are refused; in JSON answers each becomes `null`,
which numpy clients read as NaN. Binary tensors carry them both ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from inference.protocol.binary import RawTensors
from inference.protocol.parameters import flag, parameters_of, priority, refuse_sequences, timeout_seconds
from inference.protocol.raw_body import decode_raw_body
from inference.protocol.request import InferRequest, OutputForm, plain_request
from inference.protocol.strict_json import check_no_duplicates, count_keys, may_hold_bools, parse_object
from inference.protocol.v2_encode import Encoded, encode_infer, encode_json
from inference.protocol.v2_inputs import missing_header_length, read_inputs
from inference.protocol.v2_outputs import read_outputs
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import Signature

__all__ = [
    "EXTENSIONS",
    "Encoded",
    "InferRequest",
    "OutputForm",
    "decode_infer",
    "encode_infer",
    "encode_json",
    "error_body",
    "header_length",
    "metadata",
    "server_metadata",
]

# What is listed works.
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "statistics",
    "model_repository",
    "model_configuration",
    "parameters",
    "schedule_policy",
)
LENGTH = re.compile(r"[0-9]{1,18}")


def header_length(value: str | None) -> int | None:
    """The header Inference-Header-Content-Length: how many bytes of the body are JSON. It counts the body as it was
    before compression. Raises InvalidInput."""
    if value is None:
        return None
    if not LENGTH.fullmatch(value):
        raise _wrong_length("The header Inference-Header-Content-Length must be a number of bytes, in digits.")
    return int(value)


def decode_infer(body: bytes, signature: Signature, header_length: int | None = None) -> InferRequest:
    """`header_length` None: all is JSON; 0: the body is the one tensor's bytes; else where the JSON ends.

    Raises InvalidInput with a sentence that names the tensor where one is at fault.
    """
    if header_length is not None:
        return _decode_binary(body, signature, header_length)
    try:
        document = parse_object(body)
    except InvalidInput:
        if b'"binary_data_size"' in body:
            raise missing_header_length() from None
        raise
    return _decode(body, document, signature, None)


def _decode_binary(body: bytes, signature: Signature, header_length: int) -> InferRequest:
    if header_length == 0:
        return decode_raw_body(body, signature)
    if header_length > len(body):
        raise _wrong_length("Inference-Header-Content-Length is greater than the length of the body.")
    raw = RawTensors(body, header_length)
    text = body[:header_length]
    request = _decode(text, parse_object(text), signature, raw)
    raw.finish()
    return request


def _decode(text: bytes, document: dict[str, Any], signature: Signature, raw: RawTensors | None) -> InferRequest:
    inputs, n_keys = read_inputs(document.get("inputs"), signature.inputs, may_hold_bools(text), raw)
    if len(document) == 1:
        check_no_duplicates(text, n_keys + 1)
        return plain_request(inputs)
    n_keys += len(document) + sum(count_keys(value) for key, value in document.items() if key != "inputs")
    check_no_duplicates(text, n_keys)
    parameters = parameters_of(document, "The request")
    refuse_sequences(parameters)
    binary = flag(parameters, "binary_data_output")
    outputs, forms = read_outputs(document.get("outputs"), signature.outputs, binary)
    return InferRequest(
        _request_id(document.get("id")),
        inputs,
        outputs,
        parameters,
        timeout_seconds(parameters),
        priority(parameters),
        forms,
        binary and outputs is None,
    )


def _request_id(value: Any) -> str | None:
    if value is not None and type(value) is not str:
        raise InvalidInput('"id" must be text.', code="invalid_id")
    return value


def _wrong_length(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_header_length")


def metadata(
    name: str, versions: Sequence[str], signature: Signature, platform: str = "onnxruntime_onnx"
) -> dict[str, Any]:
    return {"name": name, "versions": list(versions), "platform": platform, **signature.as_json()}


def server_metadata(version: str, name: str = "slipway", extensions: Sequence[str] = EXTENSIONS) -> dict[str, Any]:
    return {"name": name, "version": version, "extensions": list(extensions)}


def error_body(message: str, code: str, request_id: str | None) -> bytes:
    return orjson.dumps({"error": message, "code": code, "request_id": request_id})
