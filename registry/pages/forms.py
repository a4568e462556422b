"""The registry's forms. They check the shape of the input; the rules stand in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from registry.access.actions import SCOPES

INPUT = {"class": "input", "autocomplete": "off", "spellcheck": "false"}


def choose(form: forms.Form, name: str, choices: Any) -> None:
    """Gives a choice field what there is to choose from."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class AliasForm(forms.Form):
    alias = forms.CharField(
        label=_("Alias"),
        max_length=64,
        widget=forms.TextInput({**INPUT, "placeholder": "champion", "list": "alias-names"}),
    )


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("Who or what will use it, so that you know it again: “checkout service”."),
        widget=forms.TextInput(INPUT),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=list(SCOPES.items()), widget=forms.CheckboxSelectMultiple
    )
    endpoints = forms.MultipleChoiceField(
        label=_("Only these endpoints"), required=False, widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(
        label=_("Lifetime in days"),
        min_value=1,
        max_value=3650,
        initial=90,
        widget=forms.NumberInput({"class": "input input-number"}),
    )
    requests_per_second = forms.IntegerField(
        label=_("Predictions per second, at most"),
        help_text=_("Empty: no limit. Beyond it callers get 429 and are told when to come back."),
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=forms.NumberInput({"class": "input input-number"}),
    )

    def __init__(self, *args: Any, endpoints: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "endpoints", [(slug, slug) for slug in endpoints])
