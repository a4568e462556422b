"""The backend node tests of the onnx package: small models with their inputs, which nobody here wrote.

Each is looked at in this process first: does the runtime itself run these bytes on these inputs, and has every tensor a
V2 datatype? What the portal has to do with it follows from that alone.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple
from zlib import crc32

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from registry.artifacts.limits import MIN_OPSET
from registry.artifacts.signature import ORT_TYPES

Arrays = dict[str, np.ndarray]


class Kind(Enum):
    """What has to become of a case."""

    SERVED = "answered, and equal to session.run"
    CANNOT_RUN = "the runtime refuses to run it on these inputs"
    CANNOT_LOAD = "the runtime cannot load it"
    NOT_V2 = "V2 has no datatype for a tensor of it"
    NO_INPUTS = "it has no inputs"
    OLD_OPSET = f"it uses an opset before {MIN_OPSET}"


_UNSUPPORTED = {"unsupported_input_type", "unsupported_output_type"}
REFUSALS: dict[Kind, set[str]] = {
    Kind.CANNOT_LOAD: {
        "load_failed",
        "locale_missing",
        "ir_too_new",
        "opset_too_new",
        "unknown_operator",
        *_UNSUPPORTED,
    },
    Kind.NOT_V2: _UNSUPPORTED,
    Kind.NO_INPUTS: {"no_inputs"},
    Kind.OLD_OPSET: {"opset_too_old"},
}


class Case(NamedTuple):
    """`outputs` is what `session.run` gave, where it ran."""

    name: str
    model: bytes
    inputs: Arrays
    kind: Kind
    outputs: Sequence[np.ndarray] = ()


def node_cases(every: int = 1) -> list[Case]:
    """One in `every`, chosen by name: in the package's order each case is followed by its expanded twin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The package computes its inputs and expected outputs anew.
        tests = load_model_tests(kind="node")
    return [_case(test) for test in tests if crc32(test.name.encode()) % every == 0]


def _case(test: Any) -> Case:
    content = test.model.SerializeToString()
    try:
        session = _session(content)
    except Exception:
        return Case(test.name, content, {}, Kind.CANNOT_LOAD)
    if kind := _unservable(test.model, session):
        return Case(test.name, content, {}, kind)
    names = [value.name for value in test.model.graph.input]
    inputs = {name: _array(value) for name, value in zip(names, test.data_sets[0][0], strict=True)}
    try:
        outputs, again = _run(session, inputs), _run(session, inputs)
    except Exception:
        return Case(test.name, content, inputs, Kind.CANNOT_RUN)
    assert all(map(same, outputs, again)), f"{test.name} is random, and cannot be compared"
    return Case(test.name, content, inputs, Kind.SERVED, outputs)


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(session: onnxruntime.InferenceSession, inputs: Arrays) -> Sequence[np.ndarray]:
    tensors = (*session.get_inputs(), *session.get_outputs())
    if all(tensor.type != "tensor(bfloat16)" for tensor in tensors):
        return session.run(None, inputs)
    values = session.run_with_ort_values(None, {name: _to_value(array) for name, array in inputs.items()})
    return [_from_value(value) for value in values]


def _to_value(array: np.ndarray) -> onnxruntime.OrtValue:
    """`session.run` takes no array of BF16."""
    if array.dtype != ml_dtypes.bfloat16:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    element = onnx.TensorProto.BFLOAT16
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(np.uint16), element)


def _from_value(value: onnxruntime.OrtValue) -> np.ndarray:
    if value.data_type() != "tensor(bfloat16)":
        return value.numpy()
    content = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return np.frombuffer(content, ml_dtypes.bfloat16).reshape(value.shape())


def _unservable(model: onnx.ModelProto, session: onnxruntime.InferenceSession) -> Kind | None:
    if any(item.domain == "" and item.version < MIN_OPSET for item in model.opset_import):
        return Kind.OLD_OPSET
    if not session.get_inputs():
        return Kind.NO_INPUTS
    tensors = (*session.get_inputs(), *session.get_outputs())
    return None if all(tensor.type in ORT_TYPES for tensor in tensors) else Kind.NOT_V2


def _array(value: Any) -> np.ndarray:
    """Some inputs are written as messages, some as plain numbers, some texts with a fixed width."""
    array = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
    return array.astype(object) if array.dtype.kind in "US" else array


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal in type, shape and every value, where NaN is NaN."""
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    may_be_nan = left.dtype.kind == "f" or left.dtype == ml_dtypes.bfloat16
    return bool(np.array_equal(left, right, equal_nan=may_be_nan))
