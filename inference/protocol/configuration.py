"""The document of V2's model configuration extension, in Triton's words, from a signature.

A configuration describes what is served here; it cannot be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.artifacts.signature import Signature, TensorSpec


def model_config(
    name: str,
    signature: Signature,
    *,
    max_batch_size: int = 0,
    batch_delay_us: int | None = None,
    n_instances: int = 1,
    versions: Sequence[int] = (),
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """`max_batch_size` counts rows and is 0 where tensors lack a free first dimension, whatever is passed.

    `batch_delay_us` is how long a request may wait for others to join it, None if requests are never joined.
    `versions` are those that take traffic.
    """
    batched = max_batch_size > 0 and all(spec.shape[:1] == (-1,) for spec in (*signature.inputs, *signature.outputs))
    config: dict[str, Any] = {
        "name": name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": list(versions)}},
        "max_batch_size": max_batch_size if batched else 0,
        "input": [_tensor(spec, batched) for spec in signature.inputs],
        "output": [_tensor(spec, batched) for spec in signature.outputs],
        "instance_group": [{"name": name, "kind": "KIND_CPU", "count": n_instances, "gpus": []}],
        "default_model_filename": "model.onnx",
        "parameters": {key: {"string_value": value} for key, value in (parameters or {}).items()},
    }
    if batched and batch_delay_us is not None:
        config["dynamic_batching"] = {
            "preferred_batch_size": [max_batch_size],
            "max_queue_delay_microseconds": batch_delay_us,
        }
    return config


def _tensor(spec: TensorSpec, batched: bool) -> dict[str, Any]:
    """`dims` may not be empty there: one value is written as one dimension of size 1, reshaped to none."""
    dims = list(spec.shape[1:] if batched else spec.shape)
    tensor: dict[str, Any] = {"name": spec.name, "data_type": data_type(spec.datatype), "dims": dims or [1]}
    return tensor if dims else {**tensor, "reshape": {"shape": []}}


def data_type(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
