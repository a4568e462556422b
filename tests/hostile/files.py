"""Files of other kinds, and good ones that end early."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator

from tests import graphs
from tests.hostile.building import Named


def containers() -> Iterator[Named]:
    """Files of other kinds."""
    good = graphs.add_constant()
    for protocol in range(6):
        yield f"pickle-{protocol}", pickle.dumps({"weights": [1.0] * 100}, protocol)
    for name in ("model.onnx", "../../model.onnx", "/etc/model.onnx", "archive/data.pkl", "saved_model.pb"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            # With a date of its own, it would be another file each time.
            archive.writestr(zipfile.ZipInfo(name), good)
        yield f"zip-{name.replace('/', '_')}", packed.getvalue()
    starts = (
        b"",
        b"\x00",
        b"\xff" * 100,
        b"\x1f\x8b" + good,
        b"BZh9" + good,
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"MZ" + good,
    )
    for index, start in enumerate(
        (*starts, b"\x7fELF" + good, b"\x00\x00\x00\x00ORTM" + good, b"PAR1", b"GGUF", b"\x93NUMPY")
    ):
        yield f"start-{index}", start
    for index, text in enumerate(
        ("<!doctype html>", "{}", "[1]", "ir_version: 8", "<?xml version='1.0'?>", "a,b\n1,2\n")
    ):
        yield f"text-{index}", text.encode()
    yield "sized", struct.pack("<Q", 20) + b'{"__metadata__":{}}'
    yield "field-of-4-gb", b"\x3a" + b"\xff\xff\xff\xff\x0f" + good
    yield "groups", b"\x0b" * 10_000
    yield "graph-in-graph", _deep_field(b"\x3a", 2_000)


def _deep_field(tag: bytes, depth: int) -> bytes:
    """A message in a message in a message."""
    data = b""
    for _ in range(depth):
        size, length = len(data), b""
        while True:
            length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
            size >>= 7
            if not size:
                break
        data = tag + length + data
    return b"\x08\x0a" + data


def cut() -> Iterator[Named]:
    for make in (graphs.mlp, graphs.classifier, graphs.counting_loop):
        data = make()
        for part in range(1, 16):
            yield f"{make.__name__}-{part}", data[: len(data) * part // 16]
