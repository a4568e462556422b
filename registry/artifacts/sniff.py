"""Says what a file is from its first 4 KB, without parsing it.

Most wrong uploads are honest mistakes, so the answer says what to do.
"""

from __future__ import annotations

from collections.abc import Callable

from registry.artifacts import formats, wire
from registry.artifacts.limits import MAX_MODEL_BYTES
from registry.artifacts.report import Rejection


def sniff(head: bytes, size: int) -> Rejection | None:
    """What the file is when it can't be an ONNX model; None when it may be one. `head` is its first 4 KB."""
    if size == 0 or not head:
        return formats.EMPTY
    for question in (_magic, _zip, _safetensors, _text, _protobuf):
        if (rejection := question(head, size)) is not None:
            return rejection
    return formats.TOO_LARGE if size > MAX_MODEL_BYTES else None


def archive_kind(head: bytes, size: int) -> str:
    """ "zip" or "tar" for an archive that may hold a model and its data files; empty for anything else."""
    rejection = sniff(head, size)
    return {formats.ZIP: "zip", formats.TAR: "tar"}.get(rejection, "") if rejection is not None else ""


def _magic(head: bytes, size: int) -> Rejection | None:
    for offset, magic, rejection in formats.MAGIC:
        if head.startswith(magic, offset):
            return rejection
    return formats.PICKLE if formats.PICKLE_TEXT.match(head) else None


def _zip(head: bytes, size: int) -> Rejection | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    if b"/data.pkl" in head or b"/byteorder" in head:
        return formats.TORCH
    if b"saved_model.pb" in head:
        return formats.SAVED_MODEL
    if head[30:].startswith((b"metadata.json", b"config.json", b"model.weights.h5")):
        return formats.KERAS
    return formats.NUMPY if b".npy" in head[30:300] else formats.ZIP


def _safetensors(head: bytes, size: int) -> Rejection | None:
    if len(head) > 9 and head[8:10] in (b'{"', b"{ ") and int.from_bytes(head[:8], "little") <= size:
        return formats.SAFETENSORS
    return None


def _text(head: bytes, size: int) -> Rejection | None:
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return None
    text = head.decode("utf-8-sig", errors="ignore").lstrip()
    if len(text.encode()) < len(head) // 2:
        return None
    start = text[:200].lower()
    kinds: tuple[tuple[Callable[[], object], Rejection], ...] = (
        (lambda: start.startswith(("<!doctype html", "<html", "<head")), formats.HTML),
        (lambda: start.startswith("version https://git-lfs"), formats.LFS),
        (lambda: start.startswith(("{", "[")), formats.JSON),
        (lambda: start.startswith("<?xml"), formats.XML),
        (lambda: formats.TEXT_PROTO_START.match(text), formats.TEXT_PROTO),
    )
    return next((rejection for matches, rejection in kinds if matches()), formats.TEXT)


def _protobuf(head: bytes, size: int) -> Rejection | None:
    """The fields of ModelProto: 1 is the IR version, 2 the producer, 7 the graph (onnx/onnx.proto)."""
    try:
        found = list(wire.fields(head))
    except wire.Malformed:
        return formats.UNKNOWN
    if not found:
        return formats.TRUNCATED if size < 16 else formats.UNKNOWN
    if found[0].number == 1 and found[0].kind == wire.BYTES:
        return formats.TF_GRAPH
    if any(field.number == 2 and field.kind == wire.BYTES and field.length > 1_024 for field in found):
        return formats.SAVED_MODEL
    return formats.TRUNCATED if found[-1].end > size else None
