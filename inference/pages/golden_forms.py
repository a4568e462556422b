"""The form of a new golden request. It checks the input's shape; the rules stand in `inference/golden/services.py`."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.golden.services import MOST_BYTES, MOST_NAME, USUAL_ATOL, USUAL_RTOL
from inference.pages.examples import example_values, one_row
from inference.pages.forms import INPUT, version_choices
from inference.selectors.signatures import signature_of
from registry.models import ModelVersion
from registry.pages.forms import choose

CODE = {"class": "textarea textarea-code", "spellcheck": "false", "autocomplete": "off"}
NUMBER = {"class": "input input-number", "step": "any"}
# Written with indentation it takes more than it is kept with.
MOST_TYPED = 2 * MOST_BYTES


class GoldenForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=MOST_NAME, widget=forms.TextInput(INPUT))
    request = forms.JSONField(
        label=gettext_lazy("Request"),
        help_text=gettext_lazy("The V2 protocol's JSON. Everybody who sees the model sees it."),
        widget=forms.Textarea({**CODE, "rows": 8, "maxlength": MOST_TYPED}),
    )
    record_from = forms.TypedChoiceField(
        label=gettext_lazy("Keep the answer of"),
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select({"class": "select"}),
    )
    expected = forms.JSONField(
        label=gettext_lazy("Or expect"),
        help_text=gettext_lazy("A list of V2 output tensors. What is not named here may be anything."),
        required=False,
        widget=forms.Textarea({**CODE, "rows": 5, "maxlength": MOST_TYPED}),
    )
    rtol = forms.FloatField(
        label=gettext_lazy("Relative tolerance"), initial=USUAL_RTOL, min_value=0, widget=forms.NumberInput(NUMBER)
    )
    atol = forms.FloatField(
        label=gettext_lazy("Absolute tolerance"), initial=USUAL_ATOL, min_value=0, widget=forms.NumberInput(NUMBER)
    )

    def __init__(self, data: Any, *, versions: list[ModelVersion], initial: dict[str, Any]) -> None:
        super().__init__(data, initial={**initial, **_as_typed(initial)})
        nobody: list[tuple[Any, str]] = [("", _("No version: what stands below"))]
        choose(self, "record_from", [*version_choices(versions), *nobody])

    def clean(self) -> dict[str, Any]:
        """What is written down counts; the version is then not asked."""
        data = super().clean() or {}
        if data.get("expected") is not None:
            data["record_from"] = None
        return data


def _as_typed(initial: dict[str, Any]) -> dict[str, Any]:
    """Texts stand in the boxes as they are: the field would write JSON of them."""
    return {name: InvalidJSONInput(initial.get(name, "")) for name in ("request", "expected")}


def example_of(version: ModelVersion) -> str:
    """A request that the version takes, as far as its values are few enough for a form."""
    inputs = [
        {"name": spec.name, "shape": list(one_row(spec)), "datatype": spec.datatype, "data": example_values(spec)}
        for spec in signature_of(version).inputs
    ]
    return json.dumps({"inputs": inputs})
