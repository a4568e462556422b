"""The forms of experiments. They check the shape of the input; the rules stand in `inference/experiments`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.experiments.concluding import DEFAULT_PRESET
from inference.experiments.plan import DEFAULT_SIZE
from inference.models import Experiment, ExperimentArm
from inference.pages.forms import INPUT, ReasonForm, version_choices
from inference.rollouts.presets import PRESETS
from registry.models import ModelVersion
from registry.pages.forms import choose

ARMS = ("control", "b", "c", "d", "e")
SHOWN_ARMS = 3
NOBODY = "-"  # no arm may be called that
NUMBER = {"class": "input input-number", "step": "any"}
KEYS = (
    ("header", gettext_lazy("A header of the request")),
    ("field", gettext_lazy("A field of the request's body")),
    ("token", gettext_lazy("The caller's token")),
)


class ExperimentForm(ReasonForm):
    """One row per arm, the control first; a row without a share takes no part."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=128,
        widget=forms.TextInput({**INPUT, "placeholder": gettext_lazy("Fewer failures with the new encoder")}),
    )
    hypothesis = forms.CharField(
        label=gettext_lazy("What do you expect, and why?"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea({"class": "textarea", "rows": 2}),
    )
    metric = forms.ChoiceField(
        label=gettext_lazy("Judged by"), choices=Experiment.Metric.choices, widget=forms.Select({"class": "select"})
    )
    direction = forms.ChoiceField(
        label=gettext_lazy("Which way is better?"),
        required=False,
        choices=[("", gettext_lazy("As usual for this metric")), *Experiment.Direction.choices],
        widget=forms.Select({"class": "select"}),
    )
    min_effect = forms.FloatField(
        label=gettext_lazy("Least difference that matters"),
        help_text=gettext_lazy("A share (0.02 is two points), seconds (0.005 is 5 ms), or units of the reward."),
        widget=forms.NumberInput({**NUMBER, "placeholder": "0.02"}),
    )
    planned_size = forms.IntegerField(
        label=gettext_lazy("Planned keys per arm"),
        initial=DEFAULT_SIZE,
        help_text=gettext_lazy("The intervals are narrowest about there. You may look, and stop, at any time."),
        widget=forms.NumberInput({"class": "input input-number"}),
    )
    key_by = forms.ChoiceField(
        label=gettext_lazy("What stays with one arm"),
        choices=KEYS,
        widget=forms.Select({"class": "select"}),
    )
    key_name = forms.CharField(
        label=gettext_lazy("Name of the header or field"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("Empty: the header X-Routing-Key."),
        widget=forms.TextInput({**INPUT, "placeholder": "X-Routing-Key"}),
    )
    error_increase = forms.FloatField(
        label=gettext_lazy("Tolerated rise of failed keys"),
        required=False,
        help_text=gettext_lazy("A share: 0.01 is one point. Empty: no guardrail."),
        widget=forms.NumberInput(NUMBER),
    )
    latency_increase = forms.FloatField(
        label=gettext_lazy("Tolerated rise of the mean time"),
        required=False,
        help_text=gettext_lazy("In seconds. Empty: no guardrail."),
        widget=forms.NumberInput(NUMBER),
    )
    stop = forms.BooleanField(label=gettext_lazy("Stop by itself when a guardrail is broken"), required=False)
    field_order = ()

    def __init__(self, *args: Any, versions: list[ModelVersion], live: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs.pop("autofocus", None)
        others = [version.number for version in versions if version.number != live]
        start = {0: (live, 50), 1: (others[0] if others else None, 50)}
        for index, key in enumerate(ARMS[:SHOWN_ARMS]):
            version, weight = start.get(index, (None, None))
            self.fields[f"key_{index}"] = forms.CharField(
                label=_("Name of arm %(n)s") % {"n": index + 1},
                initial=key,
                max_length=32,
                required=False,
                widget=forms.TextInput(INPUT),
            )
            self.fields[f"version_{index}"] = forms.TypedChoiceField(
                label=_("Version of arm %(n)s") % {"n": index + 1},
                choices=[("", "–"), *version_choices(versions)],
                coerce=int,
                empty_value=None,
                required=False,
                initial=version,
                widget=forms.Select({"class": "select"}),
            )
            self.fields[f"weight_{index}"] = forms.DecimalField(
                label=_("Share of arm %(n)s") % {"n": index + 1},
                min_value=0,
                max_value=100,
                decimal_places=2,
                required=False,
                initial=weight,
                widget=forms.NumberInput({**NUMBER, "data-weight": f"arm-{index}"}),
            )

    @property
    def rows(self) -> list[tuple[forms.BoundField, ...]]:
        return [(self[f"key_{n}"], self[f"version_{n}"], self[f"weight_{n}"]) for n in range(SHOWN_ARMS)]

    @property
    def wish(self) -> dict[str, Any]:
        """What `experiments.plan.check_plan` takes."""
        data = self.cleaned_data
        plain = {name: data[name] for name in ("name", "hypothesis", "metric", "min_effect", "planned_size")}
        rails = {name: data[name] for name in ("error_increase", "latency_increase") if data[name] is not None}
        by = data["key_by"]
        named = {"name": data["key_name"]} if data["key_name"] and by != "token" else {}
        return {
            **plain,
            "direction": data["direction"] or None,
            "arms": list(self._arms()),
            "guardrails": {**rails, **({"stop": True} if data["stop"] else {})},
            "assignment": {"by": by, **named},
        }

    def _arms(self) -> Iterable[dict[str, Any]]:
        data = self.cleaned_data
        for index in range(SHOWN_ARMS):
            version, weight = data[f"version_{index}"], data[f"weight_{index}"] or Decimal(0)
            if version is not None and weight:
                yield {
                    "key": data[f"key_{index}"].strip(),
                    "version": version,
                    "weight_bp": int((weight * 100).to_integral_value()),
                }


class ConcludeForm(forms.Form):
    """`lock_version` is the one that was shown: whoever was slower sees the state now."""

    winner = forms.ChoiceField(label=gettext_lazy("What comes of it"), widget=forms.Select({"class": "select"}))
    rollout = forms.ChoiceField(
        label=gettext_lazy("A new winner goes on by"),
        initial=DEFAULT_PRESET,
        choices=[(name, preset.title) for name, preset in PRESETS.items()],
        help_text=gettext_lazy("From what was live before, step by step or at once. Not used while the control stays."),
        widget=forms.Select({"class": "select"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2_000,
        help_text=gettext_lazy("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2}),
    )
    lock_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, arms: list[ExperimentArm], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "winner", [(NOBODY, _("Stop it: nobody wins")), *self._choices(arms)])

    def _choices(self, arms: list[ExperimentArm]) -> Iterable[tuple[str, str]]:
        control, *others = arms
        facts = {"arm": control.key, "n": control.version.number}
        yield control.key, _("Keep %(arm)s, version %(n)s") % facts
        for arm in others:
            yield arm.key, _("%(arm)s wins: roll out version %(n)s") % {"arm": arm.key, "n": arm.version.number}
