"""The form that a signature makes: a field a number, a picture, or a box of JSON; and the arrays that it gives."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.pages.described import Described
from inference.pages.examples import body_text, one_row
from inference.protocol.datatypes import FLOATS, INTEGERS
from inference.protocol.pictures import Picture
from inference.runtime.tensors import check_against, to_array
from registry.artifacts.signature import TensorSpec

MOST_FIELDS = 24
CODE = {"class": "textarea textarea-code", "rows": 4, "spellcheck": "false"}


@dataclass(frozen=True)
class Group:
    """The fields of one input. `picture` is there where it takes one, `single` where each field is one value."""

    spec: TensorSpec
    fields: list[forms.BoundField]
    single: bool
    picture: Picture | None


class TryForm(forms.Form):
    """One number field a value while there are few, else one box of JSON an input."""

    def __init__(self, about: Described, data: Any = None) -> None:
        super().__init__(data, auto_id="try_%s")
        self.about = about
        self.specs = about.travels.asked.inputs
        self.plan = {spec.name: self._add(position, spec) for position, spec in enumerate(self.specs)}

    @property
    def example_text(self) -> str:
        """What the box of a whole body holds at first."""
        return body_text(self.about)

    def _add(self, position: int, spec: TensorSpec) -> list[str]:
        """Adds the fields of one input and returns their names."""
        count, values = prod(one_row(spec)), self.about.row_of(spec)
        picture = self.picture_of(spec)
        if picture:
            self.fields[f"{position}.pixels"] = _picture_field(spec, picture)
            return [f"{position}.pixels"]
        if not 0 < count <= MOST_FIELDS or spec.datatype not in FLOATS | INTEGERS | {"BYTES"}:
            self.fields[f"{position}.json"] = _json_field(spec, values)
            return [f"{position}.json"]
        names = self.about.names_of(spec)
        for index in range(count):
            label = names[index] if index < len(names) else spec.name if count == 1 else f"{spec.name}[{index}]"
            self.fields[f"{position}.{index}"] = _value_field(
                spec, label, values[index] if index < len(values) else None
            )
        return [f"{position}.{index}" for index in range(count)]

    def picture_of(self, spec: TensorSpec) -> Picture | None:
        step = self.about.travels.steps.get(spec.name)
        return step.picture if step else None

    @property
    def groups(self) -> list[Group]:
        return [
            Group(
                spec,
                [self[name] for name in self.plan[spec.name]],
                not self.plan[spec.name][0].endswith((".json", ".pixels")),
                self.picture_of(spec),
            )
            for spec in self.specs
        ]

    def inputs(self) -> dict[str, np.ndarray]:
        """What the cleaned fields make, ready for the model. Raises InvalidInput or Unprocessable."""
        return self.about.travels.prepared({spec.name: self._array(spec) for spec in self.specs})

    def _array(self, spec: TensorSpec) -> np.ndarray:
        names, picture = self.plan[spec.name], self.picture_of(spec)
        first = self.cleaned_data[names[0]]
        if picture and isinstance(first, bytes):
            array = picture.from_bytes(first)[np.newaxis]
            check_against(spec, list(array.shape))
            return array
        if names[0].endswith((".json", ".pixels")):
            values, shape = _flat(first, spec)
        else:
            values, shape = [self.cleaned_data[name] for name in names], list(one_row(spec))
        return to_array(spec.name, spec.datatype, shape, values, spec)


class AnyTextInput(forms.TextInput):
    def use_required_attribute(self, initial: Any) -> bool:
        return False


class AnyText(forms.CharField):
    """A text that the model has to get; an empty one is a text, too."""

    def validate(self, value: Any) -> None:
        """All are good."""


class PixelsArea(forms.Textarea):
    """The browser does not ask for it, as it stands out of sight: the form does."""

    def use_required_attribute(self, initial: Any) -> bool:
        return False


class PixelsField(forms.CharField):
    """Base64 of a picture's bytes, which the page's script makes of a file, or a JSON list."""

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value) or "").strip()
        if not text:
            return text
        try:
            return json.loads(text) if text.startswith("[") else base64.b64decode(text, validate=True)
        except (ValueError, RecursionError, binascii.Error):
            raise ValidationError(_("This is neither base64 nor a JSON list: choose a picture.")) from None


def _picture_field(spec: TensorSpec, picture: Picture) -> forms.Field:
    hint = _("%(width)s x %(height)s pixels of 3 bytes, red, green and blue, as base64 or as a JSON list.")
    return PixelsField(
        label=spec.name,
        help_text=hint % {"width": picture.width, "height": picture.height},
        widget=PixelsArea({**CODE, "data-pixels": ""}),
        error_messages={"required": _("Choose a picture first.")},
    )


def _value_field(spec: TensorSpec, label: str, value: Any) -> forms.Field:
    attrs = {"class": "input input-number", "autocomplete": "off"}
    if spec.datatype == "BYTES":
        return AnyText(label=label, initial=value, strip=False, widget=AnyTextInput({"class": "input", "dir": "auto"}))
    if spec.datatype in FLOATS:
        return forms.FloatField(label=label, initial=value, widget=forms.NumberInput({**attrs, "step": "any"}))
    return forms.IntegerField(label=label, initial=value, widget=forms.NumberInput(attrs))


def _json_field(spec: TensorSpec, values: list[Any]) -> forms.Field:
    hint = _("A JSON list of %(n)s values of type %(type)s, flat or nested.")
    return forms.JSONField(
        label=spec.name,
        initial=values or None,
        help_text=hint % {"n": prod(one_row(spec)), "type": spec.datatype},
        widget=forms.Textarea(CODE),
    )


def _flat(value: Any, spec: TensorSpec) -> tuple[list[Any], list[int]]:
    """Nested lists keep their own shape, one row gets its first dimension, a flat list is one row. The decoder checks
    all of them against the signature."""
    shape: list[int] = []
    level = value
    while isinstance(level, list) and len(shape) <= len(spec.shape):
        shape.append(len(level))
        level = level[0] if level else None
    if len(shape) == len(spec.shape):
        return value, shape
    if 1 < len(shape) == len(spec.shape) - 1:
        return [value], [1, *shape]
    return value, list(one_row(spec))


class BodyForm(forms.Form):
    body = forms.CharField(
        label=gettext_lazy("Request body"),
        help_text=gettext_lazy("What you would send with curl: the V2 protocol's JSON, or V1's."),
        widget=forms.Textarea({"class": "textarea textarea-code", "rows": 8, "spellcheck": "false"}),
    )
