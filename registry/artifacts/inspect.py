"""Facts about a parsed model that people and later steps want to know. Runs in the sandbox child only."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import onnx

from registry.artifacts.limits import Limits
from registry.artifacts.names import readable
from registry.artifacts.risks import risks
from registry.artifacts.walk import domain_of, messages

_MAX_OPERATORS = 500
_MOST = (1 << 53) - 1


def origin(model: onnx.ModelProto) -> dict[str, Any]:
    """What can be said of any model, also of one that breaks the rules."""
    return {
        "ir_version": model.ir_version,
        "opsets": {readable(domain_of(item.domain)) or "ai.onnx": item.version for item in model.opset_import[:100]},
        "producer": _producer(model),
    }


def facts(model: onnx.ModelProto, n_nodes: int, limits: Limits) -> dict[str, Any]:
    """JSON-ready; `n_nodes` is the count after functions are expanded."""
    operators, tensors = _parts(model, limits)
    return {
        "n_nodes": n_nodes,
        "n_functions": len(model.functions),
        "operators": dict(operators.most_common(_MAX_OPERATORS)),
        "n_parameters": sum(_elements(tensor) for tensor in tensors),
        "weights_bytes": sum(_elements(tensor) * _width(tensor) for tensor in tensors),
        "risks": risks(model),
    }


def _parts(model: onnx.ModelProto, limits: Limits) -> tuple[Counter[str], list[onnx.TensorProto]]:
    operators: Counter[str] = Counter()
    tensors: list[onnx.TensorProto] = []
    for message in messages(model, limits):
        if isinstance(message, onnx.NodeProto):
            domain = domain_of(message.domain)
            operators[f"{readable(domain)}.{readable(message.op_type)}" if domain else readable(message.op_type)] += 1
        elif isinstance(message, onnx.TensorProto):
            tensors.append(message)
    return operators, tensors


def _elements(tensor: onnx.TensorProto) -> int:
    return min(max(0, int(math.prod(tensor.dims))), _MOST)


def _width(tensor: onnx.TensorProto) -> int:
    """Bytes per element; texts are counted as their references. Measuring the message itself would copy the weights."""
    try:
        return int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except (KeyError, TypeError):
        return 0


def _producer(model: onnx.ModelProto) -> str:
    return f"{readable(model.producer_name)} {readable(model.producer_version)}".strip()
