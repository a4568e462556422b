"""Requests with binary tensors, with compression, or of V1, that have to be refused. The model is the one of
`tests/hostile_bodies.py`: it takes X, FP32 [any, 4], and gives label, INT64 [any], and p, FP32 [any, 3].
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any, NamedTuple

import numpy as np

from tests.hostile_bodies import GOOD, body

LENGTH = "Inference-Header-Content-Length"
ENCODING = "Content-Encoding"
ROW = np.array([[5.1, 3.5, 1.4, 0.2]], "<f4").tobytes()
# What a body may take once it is decompressed; a portal's own limit is no greater unless somebody raises it.
LIMIT = 64 * 1024**2


class Hostile(NamedTuple):
    """`verb` is `infer` for V2 and `predict` for V1."""

    name: str
    headers: dict[str, str]
    body: bytes
    code: str
    status: int = 400
    verb: str = "infer"


def header(**changes: Any) -> bytes:
    """The JSON of a good binary request with these keys of its tensor; a change to `...` removes the key."""
    tensor = {"name": "X", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}, **changes}
    return json.dumps({"inputs": [{key: value for key, value in tensor.items() if value is not ...}]}).encode()


def sized(size: Any, shape: Any = (1, 4)) -> bytes:
    return header(shape=list(shape), parameters={"binary_data_size": size})


def binary(name: str, text: bytes, raw: bytes, code: str, length: Any = None) -> Hostile:
    """`length` is what the header says, by default the truth."""
    return Hostile(name, {LENGTH: str(len(text) if length is None else length)}, text + raw, code)


def packed(name: str, encoding: str, content: bytes, code: str, status: int = 400) -> Hostile:
    return Hostile(name, {ENCODING: encoding}, content, code, status)


def v1(name: str, document: Any, code: str) -> Hostile:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Hostile(name, {}, content, code, verb="predict")


def bomb(window: int) -> bytes:
    """More zeros than the limit, in some hundred kilobytes."""
    stream = zlib.compressobj(1, zlib.DEFLATED, window)
    return b"".join([*(stream.compress(bytes(2**20)) for _ in range(LIMIT // 2**20 + 1)), stream.flush()])


BINARY_HEADER = header()
GOOD_BINARY = BINARY_HEADER + ROW
GOOD_V1 = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
TWICE = b'{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}},'
TWICE += b'{"name":"X","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}'
LENGTHS = ("", "-1", "+5", "0x10", "1e2", "5.0", "five", "1_0", "٣", "1 2", "9" * 30, "nan")


def zipped(data: bytes) -> bytes:
    """The same bytes each time: the names of tests are made of them."""
    return gzip.compress(data, mtime=0)


CUT = len(zipped(GOOD)) - 9

HOSTILE: list[Hostile] = [
    # The header that says where the JSON ends.
    *(Hostile(f"length {value!r}", {LENGTH: value}, GOOD_BINARY, "invalid_header_length") for value in LENGTHS),
    binary("length beyond the body", BINARY_HEADER, b"", "invalid_header_length", len(BINARY_HEADER) + 1),
    binary("length far beyond the body", BINARY_HEADER, ROW, "invalid_header_length", 2**63 - 1),
    binary("length one short", BINARY_HEADER, ROW, "invalid_json", len(BINARY_HEADER) - 1),
    binary("length one long", BINARY_HEADER, ROW, "invalid_json", len(BINARY_HEADER) + 1),
    binary("length of all", BINARY_HEADER, ROW, "invalid_json", len(GOOD_BINARY)),
    binary("length 1", BINARY_HEADER, ROW, "invalid_json", 1),
    Hostile("no length", {}, GOOD_BINARY, "missing_header_length"),
    Hostile("no length and no raw tensor", {}, BINARY_HEADER, "missing_header_length"),
    # Sizes that do not add up.
    binary("size too small", sized(15), ROW[:15], "wrong_size"),
    binary("size too great", sized(17), ROW + b"\0", "wrong_size"),
    binary("size of two rows", sized(32), ROW * 2, "wrong_size"),
    binary("size 0", sized(0), b"", "wrong_size"),
    binary("size negative", sized(-16), ROW, "wrong_size"),
    binary("size of another element", sized(32), ROW * 2, "wrong_size"),
    *(
        binary(f"size {value!r}", sized(value), ROW, "wrong_size")
        for value in (16.0, "16", None, True, [16], {}, 2**70)
    ),
    binary("raw bytes missing", BINARY_HEADER, b"", "wrong_size"),
    binary("raw bytes cut", BINARY_HEADER, ROW[:-1], "wrong_size"),
    binary("a byte left over", BINARY_HEADER, ROW + b"\0", "wrong_size"),
    binary("bytes behind a JSON tensor", GOOD, ROW, "wrong_size"),
    binary("size beyond the body", sized(2**62, [2**58, 4]), ROW, "wrong_size"),
    binary("rows for no bytes", sized(16, [2**60, 4]), ROW, "wrong_size"),
    binary("no rows, but bytes", sized(16, [0, 4]), ROW, "wrong_size"),
    # What is wrong in JSON is wrong here.
    binary("shape negative", sized(16, [-1, 4]), ROW, "wrong_shape"),
    binary("shape of another rank", sized(16, [4]), ROW, "wrong_shape"),
    binary("shape with a boolean", sized(16, [True, 4]), ROW, "wrong_shape"),
    binary("shape with a float", sized(16, [1.0, 4]), ROW, "wrong_shape"),
    binary("shape of 33 dimensions", sized(16, [1] * 33), ROW, "wrong_shape"),
    binary("shape missing", header(shape=...), ROW, "invalid_tensor"),
    binary("datatype missing", header(datatype=...), ROW, "invalid_tensor"),
    binary("datatype of the same size", header(datatype="INT32"), ROW, "wrong_datatype"),
    binary("datatype unknown", header(datatype="FP8"), ROW, "wrong_datatype"),
    binary("data as well", header(data=[5.1, 3.5, 1.4, 0.2]), ROW, "invalid_tensor"),
    binary("neither data nor size", header(parameters={}), b"", "invalid_tensor"),
    binary("parameters a list", header(parameters=[16]), ROW, "invalid_parameters"),
    binary("unknown tensor", header(name="Y"), ROW, "unknown_tensor"),
    binary("the tensor twice", TWICE, ROW * 2, "duplicate_tensor"),
    binary("no tensor", b'{"inputs":[]}', b"", "missing_tensor"),
    binary("a key twice", BINARY_HEADER.replace(b'"shape"', b'"name":"X","shape"'), ROW, "duplicate_key"),
    binary("shared memory", header(parameters={"shared_memory_region": "r"}), b"", "shared_memory_not_supported"),
    binary("invalid UTF-8 in the JSON", BINARY_HEADER.replace(b'"X"', b'"\xff"'), ROW, "invalid_json"),
    # Only bytes.
    binary("raw body that ends inside a row", b"", ROW[:-1], "wrong_size", 0),
    binary("raw body one byte too long", b"", ROW + b"\0", "wrong_size", 0),
    binary("JSON as a raw body", b"", GOOD + b" " * (1 - len(GOOD) % 2), "wrong_size", 0),
    # What is asked of the answer, and of the server.
    Hostile(
        "binary_data a number",
        {},
        body(outputs=[{"name": "p", "parameters": {"binary_data": 1}}]),
        "invalid_parameters",
    ),
    Hostile("binary_data_output a text", {}, body(parameters={"binary_data_output": "yes"}), "invalid_parameters"),
    *(
        Hostile(
            f"classification {k!r}",
            {},
            body(outputs=[{"name": "p", "parameters": {"classification": k}}]),
            "invalid_parameters",
        )
        for k in (-1, True, 1.5, "2", [2], 2**40)
    ),
    *(
        Hostile(f"timeout {value!r}", {}, body(parameters={"timeout": value}), "invalid_parameters")
        for value in (0, -1, 1.5, "100", True, [], 10**30)
    ),
    *(
        Hostile(f"priority {value!r}", {}, body(parameters={"priority": value}), "invalid_parameters")
        for value in (-1, 1.0, "1", False, 2**31 + 1)
    ),
    Hostile("a sequence", {}, body(parameters={"sequence_id": 7, "sequence_start": True}), "sequence_not_supported"),
    # Compression.
    packed("gzip of nothing", "gzip", b"", "broken_compression"),
    packed("gzip that is plain", "gzip", GOOD, "broken_compression"),
    packed("gzip that is zlib", "gzip", zlib.compress(GOOD), "broken_compression"),
    packed("gzip cut in its check", "gzip", zipped(GOOD)[:-1], "broken_compression"),
    packed("gzip cut in its content", "gzip", zipped(GOOD)[:CUT], "broken_compression"),
    packed("gzip with a wrong check", "gzip", zipped(GOOD)[:-8] + bytes(8), "broken_compression"),
    packed("gzip and more", "gzip", zipped(GOOD) + b"x", "broken_compression"),
    packed("gzip twice over", "gzip", zipped(GOOD) * 2, "broken_compression"),
    packed("gzip inside gzip", "gzip", zipped(zipped(GOOD)), "invalid_json"),
    packed("deflate of nothing", "deflate", b"", "broken_compression"),
    packed("deflate that is plain", "deflate", GOOD, "broken_compression"),
    packed("deflate that is gzip", "deflate", zipped(GOOD), "broken_compression"),
    packed("deflate cut", "deflate", zlib.compress(GOOD)[:-1], "broken_compression"),
    packed("deflate and more", "deflate", zlib.compress(GOOD) + b"\0", "broken_compression"),
    packed("gzip bomb", "gzip", bomb(31), "too_large", 413),
    packed("deflate bomb", "deflate", bomb(15), "too_large", 413),
    packed("raw deflate bomb", "deflate", bomb(-15), "too_large", 413),
    packed("br", "br", GOOD, "unsupported_encoding", 415),
    packed("zstd", "zstd", b"\x28\xb5\x2f\xfd", "unsupported_encoding", 415),
    packed("two encodings", "gzip, gzip", zipped(zipped(GOOD)), "unsupported_encoding", 415),
    Hostile(
        "length of the JSON as it is compressed",
        {ENCODING: "gzip", LENGTH: str(len(zipped(BINARY_HEADER)))},
        zipped(GOOD_BINARY),
        "invalid_json",
    ),
    # V1.
    v1("v1 no JSON", b"", "invalid_json"),
    v1("v1 NaN", b'{"instances":[[NaN,1,2,3]]}', "invalid_json"),
    v1("v1 a list", [GOOD_V1], "invalid_json"),
    v1("v1 nothing", {}, "missing_inputs"),
    v1("v1 both", {**GOOD_V1, "inputs": [[1, 2, 3, 4]]}, "missing_inputs"),
    v1("v1 V2's body", GOOD, "wrong_shape"),
    *(
        v1(f"v1 instances {value!r}", {"instances": value}, "invalid_instances")
        for value in (None, [], {}, 5, "text", {"X": [[1, 2, 3, 4]]})
    ),
    v1("v1 a number", {"instances": [1]}, "wrong_shape"),
    v1("v1 a row too short", {"instances": [[1, 2, 3]]}, "wrong_shape"),
    v1("v1 a row shorter than the first", {"instances": [[1, 2, 3, 4], [1, 2, 3]]}, "wrong_shape"),
    v1("v1 a row that is none", {"instances": [[1, 2, 3, 4], None]}, "wrong_shape"),
    v1("v1 rows too deep", {"instances": [[[1, 2, 3, 4]]]}, "wrong_shape"),
    v1("v1 endless rows", b'{"instances":' + b"[" * 900 + b"]" * 900 + b"}", "wrong_shape"),
    v1("v1 a boolean", {"instances": [[1, 2, 3, True]]}, "wrong_value"),
    v1("v1 null", {"instances": [[1, 2, 3, None]]}, "wrong_value"),
    v1("v1 text", {"instances": [[1, 2, 3, "4"]]}, "wrong_value"),
    v1("v1 too great", {"instances": [[1, 2, 3, 1e39]]}, "wrong_value"),
    v1("v1 base64 for numbers", {"instances": [{"b64": "AAAA"}]}, "wrong_shape"),
    v1("v1 an object of another name", {"instances": [{"Y": [1, 2, 3, 4]}]}, "unknown_tensor"),
    v1("v1 an object too many names", {"instances": [{"X": [1, 2, 3, 4], "Y": 1}]}, "unknown_tensor"),
    v1("v1 an empty object", {"instances": [{}]}, "missing_tensor"),
    v1("v1 an object and a list", {"instances": [{"X": [1, 2, 3, 4]}, [1, 2, 3, 4]]}, "invalid_instances"),
    v1("v1 inputs null", {"inputs": None}, "wrong_shape"),
    v1("v1 inputs a row", {"inputs": [1, 2, 3, 4]}, "wrong_shape"),
    v1("v1 inputs of another name", {"inputs": {"Y": [[1, 2, 3, 4]]}}, "unknown_tensor"),
    v1("v1 inputs empty", {"inputs": {}}, "missing_tensor"),
    v1("v1 another signature", {**GOOD_V1, "signature_name": "train"}, "unknown_signature"),
    v1("v1 a signature that is none", {**GOOD_V1, "signature_name": 1}, "unknown_signature"),
    v1("v1 a key twice", b'{"instances":[[1,2,3,4]],"instances":[[1,2,3,4]]}', "duplicate_key"),
    v1("v1 a name twice", b'{"instances":[{"X":[1,2,3,4],"X":[1,2,3,4]}]}', "duplicate_key"),
    v1("v1 too deep beside", b'{"instances":[[1,2,3,4]],"a":' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
]
