"""Bodies that a V2 infer route must answer with 400. The model here takes X, FP32 [any, 4], and gives
label, INT64 [any], and p, FP32 [any, 3].
"""

from __future__ import annotations

import json
from typing import Any

TENSOR = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}
GOOD = json.dumps({"inputs": [TENSOR]}).encode()


def body(**changes: Any) -> bytes:
    """The good request with these top-level keys."""
    return json.dumps({"inputs": [TENSOR], **changes}).encode()


def tensor(**changes: Any) -> bytes:
    """The good request with these keys of its tensor; a change to `...` removes the key."""
    changed = {key: value for key, value in {**TENSOR, **changes}.items() if value is not ...}
    return json.dumps({"inputs": [changed]}).encode()


def nested(levels: int, inside: str = "") -> str:
    return "[" * levels + inside + "]" * levels


def raw(data: str) -> bytes:
    return b'{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","data":' + data.encode() + b"}]}"


HOSTILE: list[tuple[bytes, str]] = [
    # Not JSON, or not the strict kind.
    (b"", "invalid_json"),
    (b" ", "invalid_json"),
    (b"\0", "invalid_json"),
    (b"hello", "invalid_json"),
    (b"<html></html>", "invalid_json"),
    (b"X=1&y=2", "invalid_json"),
    (b"PK\x03\x04", "invalid_json"),
    (b"\x80\x04\x95", "invalid_json"),
    (GOOD[:-1], "invalid_json"),
    (GOOD[: len(GOOD) // 2], "invalid_json"),
    (GOOD + b"x", "invalid_json"),
    (GOOD + GOOD, "invalid_json"),
    (GOOD + b"\0", "invalid_json"),
    (GOOD + b"\x9a\x99\xa3\x40", "invalid_json"),
    (b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    (GOOD.decode().encode("utf-16"), "invalid_json"),
    (GOOD.replace(b'"X"', b'"\xff"'), "invalid_json"),
    (GOOD.replace(b'"X"', b'"\xc0\x80"'), "invalid_json"),
    (GOOD.replace(b'"X"', b'"\xed\xa0\x80"'), "invalid_json"),
    (GOOD.replace(b'"X"', b'"\\ud800"'), "invalid_json"),
    (GOOD.replace(b'"X"', b'"a\nb"'), "invalid_json"),
    (GOOD.replace(b'"', b"'"), "invalid_json"),
    (GOOD.replace(b"}]}", b"},]}"), "invalid_json"),
    (raw("[NaN,1,2,3]"), "invalid_json"),
    (raw("[Infinity,1,2,3]"), "invalid_json"),
    (raw("[-Infinity,1,2,3]"), "invalid_json"),
    (raw("[1e999,1,2,3]"), "invalid_json"),
    (raw("[-1e999,1,2,3]"), "invalid_json"),
    (raw("[" + "9" * 400 + ",1,2,3]"), "invalid_json"),
    (raw("[01,1,2,3]"), "invalid_json"),
    (raw("[+1,1,2,3]"), "invalid_json"),
    (raw("[.5,1,2,3]"), "invalid_json"),
    (raw("[0x10,1,2,3]"), "invalid_json"),
    (raw("[True,1,2,3]"), "invalid_json"),
    (raw("[1,2,3,4] // four"), "invalid_json"),
    (raw(nested(100_000)), "invalid_json"),
    (b"[" * 1_000_000, "invalid_json"),
    (b'{"a":' * 200_000, "invalid_json"),
    # JSON, but no object.
    (b"null", "invalid_json"),
    (b"true", "invalid_json"),
    (b"5", "invalid_json"),
    (b'"inputs"', "invalid_json"),
    (b"[" + GOOD + b"]", "invalid_json"),
    # Too deep.
    (body(extra=json.loads(nested(64))), "too_deep"),
    (body(extra=json.loads(nested(900))), "too_deep"),
    (body(parameters=json.loads('{"a":' * 64 + "1" + "}" * 64)), "too_deep"),
    (tensor(extra=json.loads(nested(62))), "too_deep"),
    (raw(nested(1_000, "1")), "wrong_shape"),
    (raw("[" + nested(900, "1") + ",1,2,3]"), "wrong_shape"),
    # Duplicate keys.
    (b'{"inputs":[],' + GOOD[1:], "duplicate_key"),
    (GOOD[:-1] + b',"id":"a","id":"b"}', "duplicate_key"),
    (GOOD[:-1] + b',"id":"a:b","id":"a:b"}', "duplicate_key"),
    (GOOD[:-1] + b',"id":"a","\\u0069d":"b"}', "duplicate_key"),
    (GOOD[:-1] + b',"extra":[{"a":1,"a":1}]}', "duplicate_key"),
    (GOOD[:-1] + b',"parameters":{"a":1,"a":":"}}', "duplicate_key"),
    (GOOD[:-1] + b',"extra":"\\u003a","id":"1","id":"2"}', "duplicate_key"),
    (raw('[9,9,9,9],"data":[1,2,3,4]'), "duplicate_key"),
    (GOOD.replace(b'"shape"', b'"shape":[9,9], "shape"'), "duplicate_key"),
    # No inputs.
    (b"{}", "missing_inputs"),
    (body(inputs=None), "missing_inputs"),
    (body(inputs={}), "missing_inputs"),
    (body(inputs=TENSOR), "missing_inputs"),
    (body(inputs="X"), "missing_inputs"),
    (b'{"instances":[[1,2,3,4]]}', "missing_inputs"),
    (body(inputs=[]), "missing_tensor"),
    # Tensors that are none.
    (body(inputs=[None]), "invalid_tensor"),
    (body(inputs=[[1, 2, 3, 4]]), "invalid_tensor"),
    (body(inputs=["X"]), "invalid_tensor"),
    (body(inputs=[{}]), "invalid_tensor"),
    (body(inputs=[TENSOR, None]), "invalid_tensor"),
    (tensor(name=...), "invalid_tensor"),
    (tensor(name=None), "invalid_tensor"),
    (tensor(name=5), "invalid_tensor"),
    (tensor(name=["X"]), "invalid_tensor"),
    (tensor(name={"X": 1}), "invalid_tensor"),
    (tensor(data=...), "invalid_tensor"),
    (tensor(shape=...), "invalid_tensor"),
    (tensor(datatype=...), "invalid_tensor"),
    (tensor(shape=..., extra=1), "wrong_shape"),
    (tensor(datatype=..., extra=1), "wrong_datatype"),
    (tensor(name="x"), "unknown_tensor"),
    (tensor(name=""), "unknown_tensor"),
    (tensor(name="../../etc/passwd"), "unknown_tensor"),
    (tensor(name="<script>" * 10_000), "unknown_tensor"),
    (body(inputs=[TENSOR, {**TENSOR, "name": "Y"}]), "unknown_tensor"),
    (body(inputs=[TENSOR, TENSOR]), "duplicate_tensor"),
    (body(inputs=[TENSOR] * 1_000), "duplicate_tensor"),
    # Datatype.
    (tensor(datatype="FP64"), "wrong_datatype"),
    (tensor(datatype="float32"), "wrong_datatype"),
    (tensor(datatype="BYTES"), "wrong_datatype"),
    (tensor(datatype=None), "wrong_datatype"),
    (tensor(datatype=1), "wrong_datatype"),
    (tensor(datatype=["FP32"]), "wrong_datatype"),
    # Shape.
    (tensor(shape=None), "wrong_shape"),
    (tensor(shape=4), "wrong_shape"),
    (tensor(shape="1,4"), "wrong_shape"),
    (tensor(shape={"0": 1}), "wrong_shape"),
    (tensor(shape=[]), "wrong_shape"),
    (tensor(shape=[4]), "wrong_shape"),
    (tensor(shape=[-1, 4]), "wrong_shape"),
    (tensor(shape=[1, -4]), "wrong_shape"),
    (tensor(shape=[True, 4]), "wrong_shape"),
    (tensor(shape=[1.0, 4]), "wrong_shape"),
    (tensor(shape=["1", 4]), "wrong_shape"),
    (tensor(shape=[None, 4]), "wrong_shape"),
    (tensor(shape=[[1], 4]), "wrong_shape"),
    (tensor(shape=[1, 3]), "wrong_shape"),
    (tensor(shape=[2, 4]), "wrong_shape"),
    (tensor(shape=[2**63, 4]), "wrong_shape"),
    (tensor(shape=[2**64 - 1, 4]), "wrong_shape"),
    (tensor(shape=[2**65, 4]), "wrong_shape"),
    (tensor(shape=[1] * 33), "wrong_shape"),
    (tensor(shape=[1] * 100_000), "wrong_shape"),
    # Data.
    (tensor(data=None), "wrong_shape"),
    (tensor(data=1), "wrong_shape"),
    (tensor(data="AAAAAA=="), "wrong_shape"),
    (tensor(data={}), "wrong_shape"),
    (tensor(data=[]), "wrong_shape"),
    (tensor(data=[1, 2, 3]), "wrong_shape"),
    (tensor(data=[1, 2, 3, 4, 5]), "wrong_shape"),
    (tensor(data=[[1, 2], [3, 4]]), "wrong_shape"),
    (tensor(data=[[1, 2, 3]]), "wrong_shape"),
    (tensor(data=[[1], [2, 3, 4]]), "wrong_shape"),
    (tensor(data=[[1, 2, 3, [4]]]), "wrong_value"),
    (tensor(data=[1, 2, 3, [4]]), "wrong_value"),
    (tensor(data=[1, 2, 3, None]), "wrong_value"),
    (tensor(data=[1, 2, 3, "4"]), "wrong_value"),
    (tensor(data=["1", "2", "3", "4"]), "wrong_value"),
    (tensor(data=[1, 2, 3, "x" * 1_000_000]), "wrong_value"),
    (tensor(data=[1, 2, 3, True]), "wrong_value"),
    (tensor(data=[[False, False, False, False]]), "wrong_value"),
    (tensor(data=[1, 2, 3, {"a": 1}]), "wrong_value"),
    (tensor(data=[1, 2, 3, 1e39]), "wrong_value"),
    (tensor(data=[1, 2, 3, -(10**300)]), "wrong_value"),
    # Outputs, id, parameters.
    (body(outputs={}), "invalid_outputs"),
    (body(outputs="p"), "invalid_outputs"),
    (body(outputs=["p"]), "invalid_outputs"),
    (body(outputs=[{}]), "invalid_outputs"),
    (body(outputs=[{"name": 1}]), "invalid_outputs"),
    (body(outputs=[{"name": ["p"]}]), "invalid_outputs"),
    (body(outputs=[{"name": "q"}]), "unknown_output"),
    (body(outputs=[{"name": "X"}]), "unknown_output"),
    (body(outputs=[{"name": "p"}, {"name": "p"}]), "duplicate_output"),
    (body(outputs=[{"name": "p", "parameters": []}]), "invalid_parameters"),
    (body(outputs=[{"name": "p", "parameters": {"shared_memory_region": "r"}}]), "shared_memory_not_supported"),
    (body(id=5), "invalid_id"),
    (body(id=["a"]), "invalid_id"),
    (body(parameters=[]), "invalid_parameters"),
    (body(parameters="a"), "invalid_parameters"),
    (tensor(parameters=[1]), "invalid_parameters"),
    # Extensions that are not here.
    (tensor(data=..., parameters={"binary_data_size": 16}), "missing_header_length"),
    (tensor(parameters={"binary_data_size": 16}), "missing_header_length"),
    (tensor(data=..., parameters={"binary_data_size": 4}) + b"\0\0\x80\x3f", "missing_header_length"),
    (tensor(data=..., parameters={"shared_memory_region": "r"}), "shared_memory_not_supported"),
]
