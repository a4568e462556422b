"""Files that people upload by mistake: the bytes, and the code they are refused with."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import numpy as np


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return data.getvalue()


def tarred() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return data.getvalue()


def saved(write: Callable[..., None], *arrays: object) -> bytes:
    data = io.BytesIO()
    write(data, *arrays)
    return data.getvalue()


HEADER = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()

WRONG_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty_file"),
    **{f"pickle {n}": (pickle.dumps({"a": [1.5, "b"]}, protocol=n), "not_onnx_pickle") for n in range(6)},
    "legacy torch": (pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + b"\x80\x02", "not_onnx_torch"),
    "torch zip": (zipped("archive/data.pkl", "archive/byteorder"), "not_onnx_torch"),
    "keras zip": (zipped("metadata.json", "config.json", "model.weights.h5"), "not_onnx_keras"),
    "saved model zip": (zipped("model/saved_model.pb"), "not_onnx_saved_model"),
    "npz": (saved(np.savez, np.ones(3)), "not_onnx_numpy"),
    "npy": (saved(np.save, np.ones(3)), "not_onnx_numpy"),
    "zip": (zipped("model.onnx"), "not_onnx_zip"),
    "empty zip": (zipped(), "not_onnx_zip"),
    "gzip": (gzip.compress(b"model", mtime=0), "not_onnx_compressed"),
    "bzip2": (bz2.compress(b"model"), "not_onnx_compressed"),
    "xz": (lzma.compress(b"model"), "not_onnx_compressed"),
    "tar": (tarred(), "not_onnx_tar"),
    "joblib": (zlib.compress(pickle.dumps([1, 2])), "not_onnx_joblib"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "not_onnx_hdf5"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(64), "not_onnx_tflite"),
    "ort format": (b"\x1c\x00\x00\x00ORTM" + bytes(64), "not_onnx_ort_format"),
    "frozen graph": (b"\x0a\x10" + b"x" * 16, "not_onnx_tensorflow_graph"),
    "saved model": (b"\x08\x01\x12\x80\x40" + bytes(8192), "not_onnx_saved_model"),
    "safetensors": (struct.pack("<Q", len(HEADER)) + HEADER + bytes(4), "not_onnx_safetensors"),
    "gguf": (b"GGUF\x03\x00\x00\x00", "not_onnx_gguf"),
    "parquet": (b"PAR1\x15\x04", "not_onnx_parquet"),
    "pdf": (b"%PDF-1.7\n\x00", "not_onnx_pdf"),
    "png": (b"\x89PNG\r\n\x1a\n", "not_onnx_image"),
    "jpeg": (b"\xff\xd8\xff\xe0", "not_onnx_image"),
    "elf": (b"\x7fELF\x02\x01\x01", "not_onnx_program"),
    "exe": (b"MZ\x90\x00", "not_onnx_program"),
    "html": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "not_onnx_html"),
    "json": (b'{"model": 1}', "not_onnx_json"),
    "json with bom": (b'\xef\xbb\xbf{"model": 1}', "not_onnx_json"),
    "xml": (b'<?xml version="1.0"?><net/>', "not_onnx_xml"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "not_onnx_git_lfs"),
    "text proto": (b"ir_version: 10\ngraph {\n}\n", "not_onnx_text_proto"),
    "onnx text": (b'<\n  ir_version: 10,\n  opset_import: ["" : 20]\n>\n', "not_onnx_text_proto"),
    "csv": (b"a,b,c\n1,2,3\n", "not_onnx_text"),
    "umlauts": ("Größe\n".encode() * 20, "not_onnx_text"),
    "noise": (bytes(range(255, 100, -1)), "not_onnx"),
    "zeros": (bytes(100), "not_onnx"),
    "one byte": (b"\x08", "truncated_file"),
}
