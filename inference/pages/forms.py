"""Forms about serving. They check the shape of the input; the rules stand in the services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.pages.arms import Arm
from registry.models import ModelVersion
from registry.pages.forms import choose

INPUT = {"class": "input", "autocomplete": "off", "spellcheck": "false"}
ALWAYS_OFFERED = ("stable", "canary")


class ReasonForm(forms.Form):
    """Every change of traffic says why."""

    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2_000,
        help_text=gettext_lazy("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2, "autofocus": ""}),
    )
    epoch = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


def version_choices(versions: list[ModelVersion]) -> list[tuple[int, str]]:
    return [(version.number, _version_label(version)) for version in versions]


def _version_label(version: ModelVersion) -> str:
    names = ", ".join(alias.name for alias in version.aliases.all())
    words = [f"v{version.number}", names, version.description[:60]]
    return " · ".join(word for word in words if word)


class ForcibleForm(ReasonForm):
    """The box is shown only where something would be refused without it."""

    force = forms.BooleanField(
        label=gettext_lazy("Force it"),
        help_text=gettext_lazy(
            "Gives traffic to it although callers may break. What was overridden stands in the record."
        ),
        required=False,
    )


class PromoteForm(ForcibleForm):
    version = forms.TypedChoiceField(
        label=gettext_lazy("Version"), coerce=int, widget=forms.Select({"class": "select"})
    )
    field_order = ("version", "reason")

    def __init__(self, *args: Any, versions: list[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "version", version_choices(versions))


class RollBackForm(ReasonForm):
    revision = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)


class SplitForm(ForcibleForm):
    """A version and a weight in percent for each arm; an arm without weight takes no part."""

    field_order = ()

    def __init__(self, *args: Any, versions: list[ModelVersion], live: list[Arm], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = [*dict.fromkeys([*ALWAYS_OFFERED, *(arm.key for arm in live)])]
        choices = version_choices(versions)
        for key in self.keys:
            self.fields[f"version_{key}"] = forms.TypedChoiceField(
                label=_("Version of %(key)s") % {"key": key},
                choices=choices,
                coerce=int,
                required=False,
                widget=forms.Select({"class": "select"}),
            )
            self.fields[f"weight_{key}"] = forms.DecimalField(
                label=_("Share of %(key)s") % {"key": key},
                min_value=0,
                max_value=100,
                decimal_places=2,
                required=False,
                widget=forms.NumberInput({"class": "input input-number", "step": "any", "data-weight": key}),
            )

    @property
    def rows(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        return [(key, self[f"version_{key}"], self[f"weight_{key}"]) for key in self.keys]

    @property
    def arms(self) -> list[Arm]:
        """What was asked for, as far as it can be read; also before the form is valid, for the preview."""
        data = getattr(self, "cleaned_data", {})
        arms = []
        for key in self.keys:
            version, weight = data.get(f"version_{key}"), data.get(f"weight_{key}")
            if version and weight:
                arms.append(Arm(key, version, int((weight * 100).to_integral_value())))
        return arms

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if any(f"weight_{key}" in self.errors for key in self.keys):
            return data
        total = sum((data.get(f"weight_{key}") or Decimal(0) for key in self.keys), Decimal(0))
        if total != 100:
            message = _("The shares sum to %(sum)s %%; they have to sum to 100 %%.")
            self.add_error(
                None, message % {"sum": f"{total:f}".rstrip("0").rstrip(".") if "." in f"{total:f}" else total}
            )
        for key in self.keys:
            if data.get(f"weight_{key}") and not data.get(f"version_{key}"):
                self.add_error(f"version_{key}", _("Choose a version."))
        return data


class EndpointForm(forms.Form):
    slug = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=64,
        help_text=gettext_lazy("Lower-case letters, digits and hyphens. Callers use it, so it cannot be renamed."),
        widget=forms.TextInput({**INPUT, "placeholder": "fraud-score"}),
    )
    model = forms.ChoiceField(label=gettext_lazy("Model"), widget=forms.Select({"class": "select"}))
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea({"class": "textarea", "rows": 2}),
    )

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "model", [(name, name) for name in models])


class JobForm(forms.Form):
    target = forms.ChoiceField(label=gettext_lazy("Score with"), widget=forms.Select({"class": "select"}))
    file = forms.FileField(label=gettext_lazy("File"), allow_empty_file=True)
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        required=False,
        choices=[("", gettext_lazy("By the file's name")), ("csv", "CSV"), ("jsonl", "JSONL")],
        widget=forms.Select({"class": "select"}),
    )

    def __init__(self, *args: Any, targets: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "target", targets)
