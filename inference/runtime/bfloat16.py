"""Runs models that take or give bfloat16, which ONNX Runtime does not exchange with numpy by itself."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import ml_dtypes
import numpy as np
import onnxruntime as ort
from onnxruntime import OrtValue

from registry.artifacts.signature import Signature

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# TensorProto.BFLOAT16 of the ONNX format.
ONNX_BFLOAT16 = 16


def has_bfloat16(signature: Signature) -> bool:
    return any(spec.datatype == "BF16" for spec in (*signature.inputs, *signature.outputs))


class BFloat16Runner:
    """`run` is `InferenceSession.run` for arrays of `ml_dtypes.bfloat16`, one copy of each such output dearer.

    Texts cannot go in where bfloat16 comes out: ONNX Runtime makes no values of its own from arrays of texts.
    """

    def __init__(self, session: ort.InferenceSession, signature: Signature) -> None:
        self._session = session
        self._inputs = {spec.name for spec in signature.inputs if spec.datatype == "BF16"}
        self._outputs = {spec.name for spec in signature.outputs if spec.datatype == "BF16"}

    def run(
        self, outputs: Sequence[str], inputs: dict[str, np.ndarray], options: ort.RunOptions
    ) -> Sequence[np.ndarray]:
        given = {name: _value(array) if name in self._inputs else array for name, array in inputs.items()}
        if self._outputs.isdisjoint(outputs):
            return self._session.run(outputs, given, options)
        values = {
            name: value if isinstance(value, OrtValue) else OrtValue.ortvalue_from_numpy(np.asarray(value, order="C"))
            for name, value in given.items()
        }
        return [_array(value) for value in self._session.run_with_ort_values(outputs, values, options)]


def _value(array: np.ndarray) -> OrtValue:
    if array.dtype != BFLOAT16:
        raise TypeError(f"bfloat16 expected, not {array.dtype}")
    # The runtime takes the memory as it lies, whatever the strides say.
    return OrtValue.ortvalue_from_numpy_with_onnx_type(np.asarray(array, order="C").view(np.uint16), ONNX_BFLOAT16)


def _array(value: OrtValue) -> np.ndarray:
    if value.element_type() != ONNX_BFLOAT16:
        return value.numpy()
    content = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return np.frombuffer(content, BFLOAT16).reshape(value.shape())
