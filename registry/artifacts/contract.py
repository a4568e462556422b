"""The signature of a loaded model: what it declares, corrected by what was seen. Runs in the sandbox child only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import onnxruntime

from registry.artifacts.feeds import is_free
from registry.artifacts.names import readable
from registry.artifacts.probe import Probe
from registry.artifacts.report import Rejected
from registry.artifacts.signature import ORT_TYPES, ZIPMAP_TYPES, Signature, TensorSpec

Notice = dict[str, str]
Shape = tuple[int, ...]


@dataclass(slots=True)
class Contract:
    signature: Signature
    warnings: list[Notice]


def outputs_of_unknown_rank(graph: onnx.GraphProto) -> set[str]:
    """The runtime shows an unknown shape like a scalar's, so this is read from the file."""
    return {value.name for value in graph.output if not value.type.tensor_type.HasField("shape")}


def contract(
    session: onnxruntime.InferenceSession, probe: Probe, unranked: set[str], labels: Mapping[str, Sequence[Any]]
) -> Contract:
    """`labels` are the classes of outputs that are lists of dictionaries. Raises Rejected."""
    warnings: list[Notice] = []
    inputs = tuple(_spec(arg, _declared(arg)) for arg in session.get_inputs())
    outputs = []
    for index, arg in enumerate(session.get_outputs()):
        seen = [shapes[index] for shapes in probe.shapes]
        if arg.type in ZIPMAP_TYPES:
            shape = _zipmap_shape(arg.name, labels, seen, has_batch=any(spec.shape[:1] == (-1,) for spec in inputs))
        else:
            shape = _output_shape(arg, seen, unranked, warnings)
        outputs.append(_spec(arg, shape))
    return Contract(Signature(inputs, tuple(outputs)), warnings)


def _spec(arg: onnxruntime.NodeArg, shape: Shape) -> TensorSpec:
    return TensorSpec(arg.name, ORT_TYPES[arg.type], shape)


def _declared(arg: Any) -> Shape:
    return tuple(-1 if is_free(size) else int(size) for size in arg.shape)


def _zipmap_shape(name: str, labels: Mapping[str, Sequence[Any]], seen: list[Shape], *, has_batch: bool) -> Shape:
    if not labels.get(name):
        raise Rejected(
            "zipmap_output",
            f"The output {readable(name)!r} is a list of dictionaries whose labels neither the graph nor a trial run "
            "shows. Export with options={'zipmap': False} in skl2onnx.to_onnx.",
        )
    rows = -1 if has_batch or not seen else seen[0][0]
    return (rows, len(labels[name]))


def _output_shape(arg: Any, seen: list[Shape], unranked: set[str], warnings: list[Notice]) -> Shape:
    declared = _declared(arg)
    if arg.name in unranked and not declared:
        return _seen_rank(arg.name, seen)
    corrected = declared
    for shape in seen:
        corrected = _merge(corrected, shape)
    if corrected != declared:
        warnings.append(_differs(arg.name, declared, seen))
    return corrected


def _seen_rank(name: str, seen: list[Shape]) -> Shape:
    if not seen or len({len(shape) for shape in seen}) > 1:
        raise Rejected(
            "unknown_rank",
            f"The output {readable(name)!r} has no shape, and trial runs could not show it. Export the model with a "
            "shape for each output, where sizes that vary may be left free.",
        )
    return (-1,) * len(seen[0])


def _merge(declared: Shape, seen: Shape) -> Shape:
    """Free where the two differ; the seen rank counts."""
    if len(declared) != len(seen):
        return (-1,) * len(seen)
    return tuple(size if size in (-1, actual) else -1 for size, actual in zip(declared, seen, strict=True))


def _differs(name: str, declared: Shape, seen: list[Shape]) -> Notice:
    shapes = " and ".join(str(list(shape)) for shape in seen)
    return {
        "code": "declared_shape_differs",
        "message": f"The output {readable(name)!r} is declared as {list(declared)} but was {shapes} in trial runs.",
    }
