"""Trying a version from its page: a form made from the signature, run by the same decoder and session that serve.

Three tags of a version make it read better, all optional: `features` and `classes` (names, separated by commas) and
`example` (a JSON list of numbers that fill the form).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from math import prod
from typing import Any

import orjson
from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.pages.examples import body_of, example_body, one_row
from inference.protocol import v2
from inference.routing.snapshot import version_ref
from inference.selectors.quarantines import is_quarantined
from inference.serving.sessions import load_version
from portal.lib.errors import Conflict, InvalidInput, PortalError
from registry import selectors
from registry.access import policy
from registry.artifacts.signature import Signature, TensorSpec
from registry.models import ModelVersion, VersionStatus
from registry.pages.access import PageRequest, page
from registry.pages.answers import show

MOST_FIELDS = 24
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64")
MOST_BARS = 24
TRY_SECONDS = 10.0


def names_in(version: ModelVersion, tag: str) -> list[str]:
    return [name.strip() for name in version.tags.get(tag, "").split(",") if name.strip()]


def signature_of(version: ModelVersion) -> Signature:
    """Of a version that has one, which every ready version does."""
    if version.signature is None:
        raise Conflict(_("Only a ready version can be tried."), code="version_not_ready")
    return Signature.from_json(version.signature)


def example_of(version: ModelVersion) -> list[Any]:
    try:
        example = json.loads(version.tags.get("example", "[]"))
    except ValueError:
        return []
    return example if isinstance(example, list) else []


class TryForm(forms.Form):
    """One number field a value while there are few, else one box of JSON an input."""

    def __init__(self, version: ModelVersion, data: Any = None) -> None:
        super().__init__(data, auto_id="try_%s")
        self.signature = signature_of(version)
        specs = self.signature.inputs
        single = len(specs) == 1
        names = names_in(version, "features") if single else []
        given = {specs[0].name: example_of(version)} if single else {}
        body = example_body(self.signature, given)
        self.example_text = _lines(body)
        values = [tensor["data"] for tensor in body["inputs"]]
        self.plan = {spec.name: self._add(at, spec, values[at], names) for at, spec in enumerate(specs)}

    def _add(self, position: int, spec: TensorSpec, values: list[Any], names: list[str]) -> list[str]:
        """Adds the fields of one input and returns their names; a single `.json` stands for all its values."""
        count = prod(one_row(spec))
        if not 0 < count <= MOST_FIELDS or spec.datatype not in (*INTEGERS, *FLOATS, "BYTES"):
            name = f"{position}.json"
            self.fields[name] = _json_field(spec, values)
            return [name]
        fields = []
        for index in range(count):
            label = names[index] if index < len(names) else spec.name if count == 1 else f"{spec.name}[{index}]"
            value = values[index] if index < len(values) else None
            fields.append(f"{position}.{index}")
            self.fields[fields[-1]] = _value_field(spec, label, value)
        return fields

    @property
    def groups(self) -> list[tuple[TensorSpec, list[forms.BoundField], bool]]:
        """(input, its fields, whether they are single values) for the template."""
        return [
            (spec, [self[name] for name in self.plan[spec.name]], not self.plan[spec.name][0].endswith(".json"))
            for spec in self.signature.inputs
        ]

    def body(self) -> bytes:
        """The V2 request that the cleaned fields make."""
        values, shapes = {}, {}
        for spec in self.signature.inputs:
            names = self.plan[spec.name]
            if names[0].endswith(".json"):
                values[spec.name], shapes[spec.name] = _flat(self.cleaned_data[names[0]], spec)
            else:
                values[spec.name] = [self.cleaned_data[name] for name in names]
                shapes[spec.name] = list(one_row(spec))
        return orjson.dumps(body_of(self.signature, values, shapes))


def _lines(body: dict[str, Any]) -> str:
    """The body with one line an input."""
    return '{"inputs": [\n  ' + ",\n  ".join(json.dumps(tensor) for tensor in body["inputs"]) + "\n]}"


def _value_field(spec: TensorSpec, label: str, value: Any) -> forms.Field:
    attrs = {"class": "input input-number", "autocomplete": "off"}
    if spec.datatype == "BYTES":
        return forms.CharField(label=label, initial=value, required=False, widget=forms.TextInput({"class": "input"}))
    if spec.datatype in FLOATS:
        return forms.FloatField(label=label, initial=value, widget=forms.NumberInput({**attrs, "step": "any"}))
    return forms.IntegerField(label=label, initial=value, widget=forms.NumberInput(attrs))


def _json_field(spec: TensorSpec, values: list[Any]) -> forms.Field:
    hint = _("A JSON list of %(n)s values of type %(type)s, flat or nested.")
    count = prod(one_row(spec))
    return forms.JSONField(
        label=spec.name,
        initial=values or None,
        help_text=hint % {"n": count, "type": spec.datatype},
        widget=forms.Textarea({"class": "textarea textarea-code", "rows": 4, "spellcheck": "false"}),
    )


def _flat(value: Any, spec: TensorSpec) -> tuple[list[Any], list[int]]:
    """Nested lists keep their own shape; a flat list is one row. The decoder checks both against the signature."""
    shape, level = [], value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    return (value, shape) if len(shape) == len(spec.shape) else (value, list(one_row(spec)))


class BodyForm(forms.Form):
    body = forms.CharField(
        label=gettext_lazy("Request body"),
        help_text=gettext_lazy("What you would send with curl: the V2 protocol's JSON."),
        widget=forms.Textarea({"class": "textarea textarea-code", "rows": 8, "spellcheck": "false"}),
    )


@dataclass(frozen=True)
class Output:
    """One answer tensor. `bars` holds (label, value, whether it is the largest) where a picture helps."""

    name: str
    datatype: str
    shape: list[int]
    text: str
    word: str = ""
    bars: tuple[tuple[str, float, bool], ...] = ()


@dataclass(frozen=True)
class Result:
    outputs: list[Output]
    seconds: float
    request: str


def run(version: ModelVersion, body: bytes) -> Result:
    """Raises InvalidInput or Unprocessable as the data plane does."""
    if version.status != VersionStatus.READY:
        raise Conflict(_("Only a ready version can be tried."), code="version_not_ready")
    signature = signature_of(version)
    request = v2.decode_infer(body, signature)
    if is_quarantined(version):
        raise Conflict(_("This version is in quarantine: release it first."), code="version_quarantined")
    session = load_version(version_ref(version))
    begin = time.perf_counter()
    arrays = session.run(request.inputs, deadline=time.monotonic() + TRY_SECONDS)
    seconds = time.perf_counter() - begin
    answer = json.loads(v2.encode_json(version.model.name, str(version.number), None, signature.outputs, arrays))
    classes = names_in(version, "classes")
    outputs = [_output(item, classes) for item in answer["outputs"]]
    return Result(outputs, seconds, body.decode(errors="replace")[:20_000])


def _output(item: dict[str, Any], classes: list[str]) -> Output:
    data = item["data"]
    text = json.dumps(data[:200])[:4000] + (" …" if len(data) > 200 else "")
    numbers = [value for value in data if isinstance(value, int | float) and not isinstance(value, bool)]
    bars: tuple[tuple[str, float, bool], ...] = ()
    if len(numbers) == len(data) and 1 < len(data) <= MOST_BARS and min(numbers) >= 0:
        top = max(numbers)
        names = [
            classes[index] if len(classes) == len(data) else f"{item['name']}[{index}]" for index in range(len(data))
        ]
        bars = tuple((name, value, value == top) for name, value in zip(names, numbers, strict=True))
    word = classes[data[0]] if len(data) == 1 and isinstance(data[0], int) and 0 <= data[0] < len(classes) else ""
    return Output(item["name"], item["datatype"], item["shape"], text, word, bars)


@page(GET="endpoint.predict", POST="endpoint.predict")
def try_version(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "endpoint.predict", version.model.project_id)
    pasted = "body" in request.POST
    form = TryForm(version, request.POST if request.method == "POST" and not pasted else None)
    body_form = BodyForm(request.POST if pasted else None)
    result, status = None, 200
    asked = body_form if pasted else form
    if request.method == "POST" and asked.is_valid():
        try:
            result = run(version, asked.cleaned_data["body"].encode() if pasted else form.body())
        except PortalError as error:
            asked.add_error("body" if pasted else None, error.message)
            status = error.status
    elif request.method == "POST":
        status = InvalidInput.status
    template = "inference/_try.html" if request.htmx else "inference/try.html"
    context = {"version": version, "model": version.model, "form": form, "body_form": body_form, "result": result}
    return show(request, template, {**context, "try_form": form}, status)
