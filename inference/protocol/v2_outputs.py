"""The `outputs` of a V2 request: which ones, and in which form."""

from __future__ import annotations

from typing import Any

from inference.protocol.classification import n_classes
from inference.protocol.parameters import flag, parameters_of, refuse_shared_memory
from inference.protocol.request import PLAIN, OutputForm
from inference.runtime.tensors import quoted
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import TensorSpec

Forms = tuple[OutputForm, ...]


def read_outputs(
    items: Any, specs: tuple[TensorSpec, ...], binary: bool
) -> tuple[tuple[str, ...] | None, Forms | None]:
    """The names and how to answer each; None for all, None for the plain form. `binary` is the request's default."""
    if items is None or items == []:
        return None, None
    if type(items) is not list:
        raise _invalid()
    known = {spec.name: spec for spec in specs}
    asked = [_output(item, known, binary) for item in items]
    names = tuple(name for name, _form in asked)
    if len(set(names)) != len(names):
        raise InvalidInput("Each output may be asked for only once.", code="duplicate_output")
    forms = tuple(form for _name, form in asked)
    return names, None if all(form == PLAIN for form in forms) else forms


def _output(item: Any, known: dict[str, TensorSpec], binary: bool) -> tuple[str, OutputForm]:
    name = item.get("name") if type(item) is dict else None
    if type(name) is not str:
        raise _invalid()
    if name not in known:
        raise InvalidInput(f"The model has no output {quoted(name)}.", code="unknown_output")
    parameters = parameters_of(item, f"Output {quoted(name)}")
    refuse_shared_memory(parameters)
    return name, OutputForm(flag(parameters, "binary_data", binary), n_classes(parameters, known[name]))


def _invalid() -> InvalidInput:
    return InvalidInput('"outputs" must be a list of objects with a name.', code="invalid_outputs")
