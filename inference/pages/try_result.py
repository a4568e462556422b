"""Runs a version for its page, by the same decoders and session that serve, and makes its answer readable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.golden.answering import answer_now
from inference.pages.described import Described, described
from inference.protocol import v1, v2
from inference.protocol.preprocessing import label_texts
from inference.protocol.strict_json import parse_object
from registry.models import ModelVersion

MOST_BARS = 24
# Of an output with more values than bars, the largest.
TOP_BARS = 10
MOST_WORDS = 8
MOST_KEPT = 2_000


@dataclass(frozen=True)
class Output:
    """One answer tensor. `word` names the class of each of the first rows; `bars` holds (label, value, whether it is
    the largest) where a picture helps, and `n_more` are the values that it leaves out."""

    name: str
    datatype: str
    shape: list[int]
    text: str
    word: str = ""
    bars: tuple[tuple[str, float, bool], ...] = ()
    n_more: int = 0


@dataclass(frozen=True)
class Result:
    """`request` is what the model got, as a V2 body; empty where it is too long to be kept from a page."""

    outputs: list[Output]
    seconds: float
    request: str


def decode_body(about: Described, body: bytes) -> dict[str, np.ndarray]:
    """A pasted request, as the data plane's door for its protocol would read it. Raises InvalidInput, Unprocessable."""
    if _is_v1(parse_object(body)):
        return v1.decode_predict(body, about.signature, about.travels).inputs
    return v2.decode_infer(body, about.signature).inputs


def _is_v1(document: dict[str, Any]) -> bool:
    """Rows, or tensors as plain lists or by their names; V2's inputs are a list of objects that describe tensors."""
    inputs = document.get("inputs", [])
    if "instances" in document or type(inputs) is not list:
        return True
    return not all(type(item) is dict and item.keys() != {"b64"} for item in inputs)


def run(version: ModelVersion, inputs: dict[str, np.ndarray]) -> Result:
    """`inputs` are the model's own. Raises what `answer_now` raises."""
    arrays, seconds = answer_now(version, inputs)
    about = described(version)
    specs = about.signature.outputs
    answer = json.loads(v2.encode_json(version.model.name, str(version.number), None, specs, arrays))
    labels = about.travels.labels
    outputs = [
        _output(item, array, labels.get(item["name"], ()))
        for item, array in zip(answer["outputs"], arrays, strict=True)
    ]
    return Result(outputs, seconds, _request(about, inputs))


def _request(about: Described, inputs: dict[str, np.ndarray]) -> str:
    if sum(array.size for array in inputs.values()) > MOST_KEPT or any(
        spec.datatype == "BF16" for spec in about.signature.inputs
    ):
        return ""
    arrays = [(spec, inputs[spec.name]) for spec in about.signature.inputs]
    tensors = [
        {"name": spec.name, "shape": array.shape, "datatype": spec.datatype, "data": array.ravel().tolist()}
        for spec, array in arrays
    ]
    return json.dumps({"inputs": tensors})


def _output(item: dict[str, Any], array: np.ndarray, labels: Sequence[str]) -> Output:
    data = item["data"]
    text = json.dumps(data[:200])[:4000] + (" …" if len(data) > 200 else "")
    bars, n_more = _bars(item["name"], data, labels)
    return Output(item["name"], item["datatype"], item["shape"], text, _word(array, labels), bars, n_more)


def _word(array: np.ndarray, labels: Sequence[str]) -> str:
    if not labels:
        return ""
    texts = label_texts(labels, array)
    shown = [text for text in texts[:MOST_WORDS] if text is not None]
    return ", ".join(shown) + (" …" if shown and len(texts) > MOST_WORDS else "")


def _bars(name: str, data: list[Any], labels: Sequence[str]) -> tuple[tuple[tuple[str, float, bool], ...], int]:
    """Of one row of numbers that are not negative: all, or the largest of many that have names."""
    numbers = [value for value in data if isinstance(value, int | float) and not isinstance(value, bool)]
    named = len(labels) == len(data)
    if len(numbers) < len(data) or len(data) < 2 or min(numbers) < 0 or (len(data) > MOST_BARS and not named):
        return (), 0
    names = labels if named else [f"{name}[{index}]" for index in range(len(data))]
    # Of equal ones the first, as the model's own class would be; where all are equal there is none.
    top = numbers.index(max(numbers)) if min(numbers) < max(numbers) else -1
    order: Sequence[int] = range(len(data))
    if len(data) > MOST_BARS:
        order = sorted(order, key=lambda index: -numbers[index])[:TOP_BARS]
    return tuple((names[index], numbers[index], index == top) for index in order), len(data) - len(order)
