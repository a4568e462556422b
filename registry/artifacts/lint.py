"""Rules that a model must keep before any runtime sees it. Runs in the sandbox child only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import onnx
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from registry.artifacts.external import check_external
from registry.artifacts.interface import check_interface
from registry.artifacts.limits import MAX_IR_VERSION, MAX_OPSETS, MIN_IR_VERSION, MIN_OPSET, Limits
from registry.artifacts.names import readable
from registry.artifacts.report import Rejected
from registry.artifacts.walk import NodeCount, domain_of, key_of, messages


def check(model: onnx.ModelProto, limits: Limits, data: Mapping[str, int] | None = None) -> int:
    """The number of nodes after expansion. Raises Rejected at the first rule that the model breaks.

    `data` holds the sizes of the data files beside the model, by name.
    """
    _check_versions(model)
    total = NodeCount(model, limits).total
    check_external(model, limits, data or {})
    _check_messages(model, limits)
    check_interface(model.graph, limits)
    return total


@cache
def runtime_operators() -> set[tuple[str, str]]:
    return {(domain_of(schema.domain), schema.name) for schema in runtime.get_all_operator_schema()}


def give_ranks(model: onnx.ModelProto, limits: Limits) -> bool:
    """Give a shape to inputs and outputs that lack one, as the checker wrongly insists on it. True when any did."""
    missing = [
        value.type.tensor_type
        for graph in messages(model, limits)
        if isinstance(graph, onnx.GraphProto)
        for value in (*graph.input, *graph.output)
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")
    ]
    for kind in missing:
        kind.shape.SetInParent()
    return bool(missing)


def _check_versions(model: onnx.ModelProto) -> None:
    if not model.HasField("graph"):
        raise Rejected(
            "no_graph", "The file holds no model graph. Export the model again and upload the new .onnx file."
        )
    if model.ir_version > MAX_IR_VERSION:
        raise Rejected(
            "ir_too_new",
            f"The model has IR version {model.ir_version}; this server takes up to {MAX_IR_VERSION}. Set "
            "model.ir_version = 10 before onnx.save, or export with an earlier onnx release.",
        )
    if model.ir_version < MIN_IR_VERSION:
        raise Rejected(
            "ir_too_old",
            f"The model has IR version {model.ir_version}; this server takes {MIN_IR_VERSION} to {MAX_IR_VERSION}. Set "
            "model.ir_version = 10 before onnx.save.",
        )
    _refuse_duplicates("opset imports", (domain_of(item.domain) or "ai.onnx" for item in model.opset_import))
    for item in (*model.opset_import, *(item for function in model.functions for item in function.opset_import)):
        _check_opset(domain_of(item.domain), item.version)


def _check_opset(domain: str, version: int) -> None:
    newest = MAX_OPSETS.get(domain)
    if newest is not None and version > newest:
        raise Rejected(
            "opset_too_new",
            f"The model uses opset {version} of {domain or 'ai.onnx'}; this server takes up to {newest}. Export with "
            "torch.onnx.export(..., opset_version=20), or convert with "
            "onnx.version_converter.convert_version(model, 20), and set model.ir_version = 10.",
        )
    if domain == "" and version < MIN_OPSET:
        raise Rejected(
            "opset_too_old",
            f"The model uses opset {version}; this server takes {MIN_OPSET} to {newest}. Convert it with "
            "onnx.version_converter.convert_version(model, 20).",
        )


def _check_messages(model: onnx.ModelProto, limits: Limits) -> None:
    operators: set[tuple[str, str]] = set()
    for message in messages(model, limits):
        if isinstance(message, onnx.NodeProto):
            operators.add((domain_of(message.domain), message.op_type))
        elif isinstance(message, onnx.GraphProto):
            _check_graph(message)
    _refuse_duplicates("functions", (".".join(key_of(function)) for function in model.functions))
    _check_operators(operators - {key_of(function)[:2] for function in model.functions})


def _check_operators(used: set[tuple[str, str]]) -> None:
    unknown = sorted(used - runtime_operators())
    if unknown:
        names = ", ".join(f"{readable(domain or 'ai.onnx')}.{readable(name)}" for domain, name in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise Rejected(
            "unknown_operator",
            f"The model uses operators that this server does not have: {names}{more}. Custom operators cannot be "
            "uploaded; export the model with standard ONNX operators.",
        )


def _check_graph(graph: onnx.GraphProto) -> None:
    _refuse_duplicates("inputs", (value.name for value in graph.input))
    _refuse_duplicates("outputs", (value.name for value in graph.output))
    sparse = (item.values.name for item in graph.sparse_initializer)
    _refuse_duplicates("initializers", (*(tensor.name for tensor in graph.initializer), *sparse))


def _refuse_duplicates(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Rejected(
            "duplicate_name", f"Two {what} of the model have the name {readable(twice[0])!r}. Give each its own name."
        )
