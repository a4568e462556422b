"""Requests that were right before one of their layers was changed at random."""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from typing import Any, NamedTuple

from registry.artifacts.signature import Signature, TensorSpec
from tests.hostile_bodies import body
from tests.inference.protocol.hostile_binary import BINARY_HEADER, ENCODING, GOOD_V1, LENGTH, ROW

IRIS = Signature(
    (TensorSpec("X", "FP32", (-1, 4)),), (TensorSpec("label", "INT64", (-1,)), TensorSpec("p", "FP32", (-1, 3)))
)
MANY = Signature(
    (
        TensorSpec("a", "BYTES", (-1,)),
        TensorSpec("b", "BOOL", (-1, 2)),
        TensorSpec("c", "BF16", (2,)),
        TensorSpec("d", "INT64", ()),
    ),
    IRIS.outputs,
)
# Without BF16, which V1 cannot carry.
V1_MANY = Signature(tuple(spec for spec in MANY.inputs if spec.name not in "cd"), IRIS.outputs)
RAWS = {"a": b"\x01\0\0\0x\x02\0\0\0\xc3\xa9", "b": b"\0\1\1\0", "c": b"\x80\x3f\0\x40", "d": b"\x07" + bytes(7)}
SHAPES = {"a": [2], "b": [2, 2], "c": [2], "d": []}
MANY_DOCUMENT = {
    "inputs": [
        {
            "name": spec.name,
            "datatype": spec.datatype,
            "shape": SHAPES[spec.name],
            "parameters": {"binary_data_size": len(RAWS[spec.name])},
        }
        for spec in MANY.inputs
    ],
    "parameters": {"binary_data_output": True, "timeout": 5, "priority": 1},
}


class Seed(NamedTuple):
    """`verb` is `infer` for V2 and `predict` for V1."""

    verb: str
    document: dict[str, Any]
    raw: bytes
    signature: Signature

    def sent(self, encoding: str = "") -> Request:
        text = json.dumps(self.document).encode()
        headers = {LENGTH: str(len(text)), ENCODING: encoding} if self.raw else {ENCODING: encoding}
        return Request(self.verb, headers, SQUEEZE[encoding](text + self.raw), self.signature)


class Request(NamedTuple):
    verb: str
    headers: dict[str, str]
    content: bytes
    signature: Signature


SQUEEZE = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
SEEDS = [
    Seed("infer", MANY_DOCUMENT, b"".join(RAWS.values()), MANY),
    Seed("infer", json.loads(BINARY_HEADER), ROW, IRIS),
    Seed("infer", json.loads(body(outputs=[{"name": "p", "parameters": {"classification": 2}}])), b"", IRIS),
    Seed("predict", GOOD_V1, b"", IRIS),
    Seed("predict", {"instances": [{"a": {"b64": "eA=="}, "b": [True, False]}]}, b"", V1_MANY),
    Seed("predict", {"inputs": {"a": ["x"], "b": [[True, False]]}, "signature_name": ""}, b"", V1_MANY),
]
VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    4,
    16,
    2**63,
    1.5,
    1e300,
    "",
    "X",
    "a",
    "b64",
    "FP32",
    "BYTES",
    [],
    [1],
    {},
    {"a": 1},
]


def mutant(seed: Seed, dice: random.Random) -> Request:
    """One or more of its layers changed: a value of the document, its text, the raw bytes, the length, the stream."""
    document = copy.deepcopy(seed.document)
    for _ in range(dice.randint(0, 2)):
        change_value(document, dice)
    text = json.dumps(document).encode()
    text = changed(text, dice) if dice.random() < 0.1 else text
    raw = changed(seed.raw, dice) if dice.random() < 0.3 else seed.raw
    length = len(text) if dice.random() < 0.9 else dice.randint(0, len(text) + 40)
    encoding = dice.choice(["", "", "", "gzip", "deflate"])
    content = SQUEEZE[encoding](text + raw)
    content = changed(content, dice) if encoding and dice.random() < 0.2 else content
    headers = {ENCODING: encoding, **({LENGTH: str(length)} if seed.raw else {})}
    return Request(seed.verb, headers, content, seed.signature)


def change_value(document: Any, dice: random.Random) -> None:
    """Somewhere inside: replaced, removed, or there twice."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = dice.choice(keys)
        if not isinstance(node[key], dict | list) or dice.random() < 0.3:
            break
        node = node[key]
    match dice.randrange(3):
        case 0:
            node[key] = dice.choice(VALUES)
        case 1:
            del node[key]
        case _:
            other = copy.deepcopy(node[key])
            node.update(extra=other) if isinstance(node, dict) else node.append(other)


def changed(content: bytes, dice: random.Random) -> bytes:
    array = bytearray(content)
    at = dice.randrange(len(array) + 1)
    match dice.randrange(3):
        case 0:
            array[at : at + 1] = dice.randbytes(1)
        case 1:
            del array[at : at + dice.randint(1, 9)]
        case _:
            array[at:at] = dice.randbytes(dice.randint(1, 5))
    return bytes(array)
