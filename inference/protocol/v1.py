"""KServe V1 and TensorFlow Serving's `:predict`: `instances`, a list of rows, or `inputs`, whole tensors.

    {"instances": [[1, 2], [3, 4]]}              rows of a model with one input
    {"instances": [{"a": 1, "b": [2]}, ...]}     rows by input name
    {"inputs": [[1, 2], [3, 4]]}                 the one input as a whole
    {"inputs": {"a": [1], "b": [[2]]}}           each input as a whole

Shapes are those of the nested lists and must be the model's; values are as strict as in V2. A BYTES value is a text or
`{"b64": "<base64 of UTF-8>"}`. `signature_name` may only be "serving_default"; other unknown keys are ignored, as
TensorFlow Serving does.

Where a manifest travels with the version (`preprocessing.py`) its features may name the values of a row, a picture is
[height, width, 3] of bytes or `{"b64": "<base64 of these bytes>"}`, and values are scaled; the answer has the names of
classes. `"parameters": {"preprocess": false, "labels": false}` leaves either out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.protocol.parameters import flag, parameters_of
from inference.protocol.pictures import Picture
from inference.protocol.preprocessing import Labels, Travels
from inference.protocol.request import InferRequest
from inference.protocol.strict_json import check_no_duplicates, count_keys, may_hold_bools, parse_object
from inference.protocol.v1_encode import encode_predict
from inference.protocol.v2_inputs import find_spec, missing_inputs
from inference.runtime.tensors import check_against, quoted, to_array
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import Signature, TensorSpec

__all__ = ["decode_predict", "encode_predict"]

SIGNATURE_NAMES = (None, "", "serving_default")


def decode_predict(body: bytes, signature: Signature, travels: Travels | None = None) -> InferRequest:
    """Raises InvalidInput with a sentence that names the tensor where one is at fault, Unprocessable where the manifest
    does not fit."""
    document = parse_object(body)
    if document.get("signature_name") not in SIGNATURE_NAMES:
        raise InvalidInput('The only signature_name is "serving_default".', code="unknown_signature")
    columnar = "inputs" in document
    if columnar == ("instances" in document):
        raise InvalidInput('The body needs "instances" or "inputs", and not both.', code="missing_inputs")
    source = "inputs" if columnar else "instances"
    prepared, labels = _wanted(document, travels)
    specs = prepared.asked.inputs if prepared else signature.inputs
    columns, n_keys = _columns(document[source], specs) if columnar else _rows(document[source], specs, travels)
    reader = _Reader(may_hold_bools(body), prepared)
    inputs = {spec.name: reader.tensor(spec, columns[spec.name]) for spec in specs}
    n_keys += len(document) + reader.n_keys
    n_keys += sum(count_keys(value) for key, value in document.items() if key != source)
    check_no_duplicates(body, n_keys)
    if prepared:
        inputs = prepared.prepared(inputs)
    return InferRequest(None, inputs, None, {}, columnar=columnar, labels=labels)


def _wanted(document: dict[str, Any], travels: Travels | None) -> tuple[Travels | None, Labels | None]:
    """What of the manifest is to be used: to prepare the inputs, and the labels of the outputs."""
    if travels is None:
        return None, None
    parameters = parameters_of(document, "The request") if "parameters" in document else {}
    prepares = travels.is_preparing and flag(parameters, "preprocess", True)
    if prepares:
        travels.check()
    return travels if prepares else None, (travels.labels or None) if flag(parameters, "labels", True) else None


def _rows(rows: Any, specs: tuple[TensorSpec, ...], travels: Travels | None = None) -> tuple[dict[str, list[Any]], int]:
    """The values of each input, row by row, and how many keys the rows' objects have."""
    if type(rows) is not list or not rows:
        raise InvalidInput('"instances" must be a list of at least one row.', code="invalid_instances")
    if not _by_name(rows[0], specs):
        return {specs[0].name: rows}, 0
    names = travels.features.get(specs[0].name, ()) if travels and len(specs) == 1 else ()
    if names and specs[0].name not in rows[0]:
        return {specs[0].name: [_featured(row, position, names) for position, row in enumerate(rows)]}, len(rows) * len(
            names
        )
    for position, row in enumerate(rows):
        if type(row) is not dict:
            raise InvalidInput(f"Row {position} must be an object, like the first.", code="invalid_instances")
        _check_names(row, specs)
    return {spec.name: [row[spec.name] for row in rows] for spec in specs}, len(rows) * len(specs)


def _featured(row: Any, position: int, names: Sequence[str]) -> list[Any]:
    """A row's values in the order of the manifest's features."""
    if type(row) is not dict:
        raise InvalidInput(f"Row {position} must be an object, like the first.", code="invalid_instances")
    if row.keys() != set(names):
        wrong = sorted(set(names) - row.keys()) or sorted(row.keys() - set(names))
        word = "lacks" if len(row.keys() & set(names)) < len(names) else "has the unknown"
        raise InvalidInput(
            f"Row {position} {word} {quoted(wrong[0])}: a row has each feature once.", code="wrong_features"
        )
    return [row[name] for name in names]


def _columns(columns: Any, specs: tuple[TensorSpec, ...]) -> tuple[dict[str, Any], int]:
    if not _by_name(columns, specs):
        return {specs[0].name: columns}, 0
    if type(columns) is not dict:
        raise InvalidInput('"inputs" must be an object with a tensor by each name.', code="invalid_tensor")
    _check_names(columns, specs)
    return columns, len(columns)


def _by_name(value: Any, specs: tuple[TensorSpec, ...]) -> bool:
    """False if it is the value of the only input. `{"b64": ...}` is one, unless the input itself has that name."""
    if len(specs) != 1:
        return True
    return type(value) is dict and not (_is_base64(value) and specs[0].name != "b64")


def _check_names(given: dict[str, Any], specs: tuple[TensorSpec, ...]) -> None:
    for name in given:
        find_spec(specs, name)
    if len(given) != len(specs):
        raise missing_inputs(specs, given)


class _Reader:
    """`n_keys` counts the keys of the base64 objects that were read."""

    def __init__(self, bools: bool, travels: Travels | None = None) -> None:
        self._bools = bools
        self._steps = travels.steps if travels else {}
        self.n_keys = 0

    def tensor(self, spec: TensorSpec, data: Any) -> np.ndarray:
        step = self._steps.get(spec.name)
        if step and step.picture and (found := self._pictures(spec, step.picture, data)) is not None:
            return found
        shape = _shape(data, len(spec.shape))
        if spec.datatype == "BYTES":
            data = self._texts(spec, data, len(shape))
        return to_array(spec.name, spec.datatype, shape, data if shape else [data], spec, self._bools)

    def _pictures(self, spec: TensorSpec, picture: Picture, data: Any) -> np.ndarray | None:
        """Pictures that came as base64; None where they are lists."""
        items = data if type(data) is list else [data]
        if not items or not all(_is_base64(item) for item in items):
            return None
        self.n_keys += len(items)
        arrays = [picture.from_bytes(_raw(spec, item)) for item in items]
        if len({array.shape for array in arrays}) > 1:
            raise InvalidInput(
                f"Input {quoted(spec.name)}: send all pictures grey or all in colours.", code="wrong_shape"
            )
        check_against(spec, [len(arrays), *arrays[0].shape])
        return np.stack(arrays)

    def _texts(self, spec: TensorSpec, data: Any, depth: int) -> Any:
        """The same lists with a text for each base64 object. `depth` levels at most, so that the stack suffices."""
        if type(data) is list and depth:
            return [self._texts(spec, item, depth - 1) for item in data]
        if not _is_base64(data):
            return data
        self.n_keys += 1
        try:
            return _raw(spec, data).decode()
        except UnicodeDecodeError:
            raise InvalidInput(
                f"Input {quoted(spec.name)}: a b64 value is not the base64 of UTF-8 text.", code="wrong_value"
            ) from None


def _raw(spec: TensorSpec, item: dict[str, str]) -> bytes:
    try:
        return base64.b64decode(item["b64"], validate=True)
    except (binascii.Error, ValueError):
        what = "of UTF-8 text" if spec.datatype == "BYTES" else "of pixels"
        raise InvalidInput(
            f"Input {quoted(spec.name)}: a b64 value is not the base64 {what}.", code="wrong_value"
        ) from None


def _is_base64(value: Any) -> bool:
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def _shape(data: Any, rank: int) -> list[int]:
    """Of nested lists, by the first of each level; one level more than `rank` is enough to see that it is wrong."""
    shape: list[int] = []
    while type(data) is list and len(shape) <= rank:
        shape.append(len(data))
        data = data[0] if data else None
    return shape
