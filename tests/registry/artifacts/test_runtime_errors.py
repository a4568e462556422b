from __future__ import annotations

import pytest

from registry.artifacts.runtime_errors import is_memory, short

LONG = (
    "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/onnxruntime/core/graph/model.cc:256 "
    "onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&) Unsupported model IR version: 14"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LONG,
            "Unsupported model IR version: 14",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Type Error: Type (tensor(int64)) of output arg (y) does not match",
            "Type Error: Type (tensor(int64)) of output arg (y) does not match",
        ),
        ("cannot open /var/lib/slipway/sha256/ab/abcd: gone", "cannot open : gone"),
        ("line one\nline\x00 two\u202e", "line one line two"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_short__runtime_error__one_line_without_paths(text: str, expected: str) -> None:
    assert short(RuntimeError(text)) == expected


def test_is_memory__allocation__told_from_other_errors() -> None:
    assert is_memory(MemoryError())
    assert is_memory(RuntimeError("Failed to allocate memory for requested buffer of size 107374182400"))
    assert not is_memory(RuntimeError("Invalid rank for input: x"))
